/*
 * Compiles a script to an image that host.c runs from read-only memory: bytecode IN OUT.
 *
 * The compiler numbers a script's symbols from 1. Here they get the keys that a machine gives them which,
 * after its own names, is told the script's in order: the device does the same and compares. Functions and
 * strings become those that stay where the code is, instead of being copied into the heap.
 */
#include "xsAll.h"
#include "xsScript.h"

typedef struct {
  uint32_t magic, arenaBytes, stackSlots, loadingCalls, loadingStackSlots, nameCount, namesOffset, codeOffset, codeBytes;
} Image;
#define IMAGE_MAGIC 0x31535851

static void fail(const char* what) {
  fprintf(stderr, "bytecode: %s\n", what);
  exit(1);
}

static char* readAll(const char* path) {
  FILE* file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) fail("cannot read the script");
  long size = ftell(file);
  rewind(file);
  char* text = malloc((size_t)size + 1);
  if (fread(text, 1, (size_t)size, file) != (size_t)size) fail("cannot read the script");
  text[size] = 0;
  fclose(file);
  return text;
}

static txU1 inPlace(txU1 code) {
  switch (code) {
    case XS_CODE_CODE_1: return XS_CODE_CODE_ARCHIVE_1;
    case XS_CODE_CODE_2: return XS_CODE_CODE_ARCHIVE_2;
    case XS_CODE_CODE_4: return XS_CODE_CODE_ARCHIVE_4;
    case XS_CODE_STRING_1: return XS_CODE_STRING_ARCHIVE_1;
    case XS_CODE_STRING_2: return XS_CODE_STRING_ARCHIVE_2;
    case XS_CODE_STRING_4: return XS_CODE_STRING_ARCHIVE_4;
    default: return code;
  }
}

/* Bytes of an instruction: its size, or for size 0 a key, for -n an n-byte length and as many bytes. */
static void relocate(txU1* code, txSize bytes, const txID* keys) {
  txU1* end = code + bytes;
  while (code < end) {
    int size = gxCodeSizes[*code];
    *code = inPlace(*code);
    if (size > 0) {
      code += size;
    } else if (size == 0) {
      txID symbol = (txID)(code[1] | code[2] << 8);
      if (symbol != XS_NO_ID) {
        txU2 key = (txU2)keys[symbol];
        code[1] = (txU1)key;
        code[2] = (txU1)(key >> 8);
      }
      code += 3;
    } else {
      txU4 length = 0;
      for (int i = 0; i < -size; i++) length |= (txU4)code[1 + i] << (8 * i);
      code += 1 - size + (txSize)length;
    }
  }
  if (code != end) fail("the bytecode does not end where it should");
}

int main(int argc, char** argv) {
  if (argc != 3) fail("wrong use: bytecode IN OUT");
  txCreation creation = {
      .initialChunkSize = 1 << 20,
      .incrementalChunkSize = 1 << 20,
      .initialHeapCount = 1 << 16,
      .incrementalHeapCount = 1 << 16,
      .stackCount = 4096,
      .initialKeyCount = 4096,
      .incrementalKeyCount = 1024,
      .nameModulo = 127,
      .symbolModulo = 127,
      .parserBufferSize = 1 << 16,
      .parserTableModulo = 1993,
  };
  txMachine* the = fxCreateMachine(&creation, "bytecode", C_NULL, XS_NO_ID);
  if (!the) fail("no machine");
  /* The device names these before the script's names. */
  fxID(the, "print");
  fxID(the, "hexBytes");
  fxID(the, "hexText");
  fxID(the, "memoryHolds");
  char* text = readAll(argv[1]);
  txStringCStream stream = {.buffer = text, .offset = 0, .size = (txSize)strlen(text)};
  txScript* script = fxParseScript(the, &stream, fxStringCGetter, mxProgramFlag);
  if (!script || !script->symbolsBuffer) fail("the script does not compile");

  const txU1* symbols = (const txU1*)script->symbolsBuffer;
  txID count = (txID)(symbols[0] | symbols[1] << 8);
  txID* keys = calloc((size_t)count + 1, sizeof(txID));
  FILE* out = fopen(argv[2], "wb");
  if (!out) fail("cannot write the image");
  Image image = {.magic = IMAGE_MAGIC, .nameCount = count > 0 ? (uint32_t)count - 1 : 0, .namesOffset = sizeof(Image)};
  fwrite(&image, sizeof image, 1, out);
  uint32_t at = sizeof image;
  const char* name = (const char*)symbols + 2;
  for (txID i = 1; i < count; i++) {
    size_t bytes = strlen(name) + 1;
    keys[i] = fxNewNameC(the, (txString)name);
    txU1 key[2] = {(txU1)keys[i], (txU1)(keys[i] >> 8)};
    fwrite(key, 2, 1, out);
    fwrite(name, bytes, 1, out);
    at += 2 + (uint32_t)bytes;
    name += bytes;
  }
  relocate((txU1*)script->codeBuffer, script->codeSize, keys);
  image.codeOffset = at;
  image.codeBytes = (uint32_t)script->codeSize;
  fwrite(script->codeBuffer, (size_t)script->codeSize, 1, out);
  rewind(out);
  fwrite(&image, sizeof image, 1, out);
  if (fclose(out) != 0) fail("cannot write the image");
  return 0;
}
