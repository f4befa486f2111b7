/*
 * Runs one precompiled program on XS on a bare microcontroller, then calls each function of the program's
 * global array `calls` and reports what that took. Everything goes out as lines of text, read by program.ts:
 *
 *   boot BUILTINS ROOM                        bytes the built-ins take; bytes of the arena beside them
 *   load COUNT SLOTS CHUNKS CHEAP             count of loading, bytes in use after it, bytes of C heap
 *   > TEXT                                    print
 *   call INDEX COUNT SLOTS CHUNKS PEAKSLOTS PEAKCHUNKS CSTACK STACK
 *   value INDEX TEXT | throw INDEX TEXT       the result as a string, or what was thrown
 *   abort REASON | refuse REASON              the end, if it was not a good one
 *   end                                       the end, if it was
 *
 * Memory: the machine's slots, chunks and stack come from one arena. A product keeps the built-ins and the
 * bytecode in flash. Here the bytecode is in read-only memory too, but the built-ins are made at start and
 * lie in the arena; so the program's share, `arenaBytes`, is set aside after they are made, beside them. If the
 * first `loadingCalls` calls belong to loading, which has a stack of its own size, it is set aside after those, and the
 * stack is not part of it.
 */
#include "xsAll.h"
#include "xsScript.h"
#include "board.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/time.h>

extern txByte linkHeapStart[], linkHeapEnd[], linkStackBottom[], linkArenaStart[], linkArenaEnd[];

/* The image header, as bytecode.c writes it. */
typedef struct {
  uint32_t magic;
  uint32_t arenaBytes;
  uint32_t stackSlots;
  uint32_t loadingCalls;
  uint32_t loadingStackSlots;
  uint32_t nameCount;
  uint32_t namesOffset;
  uint32_t codeOffset;
  uint32_t codeBytes;
} Image;
#define IMAGE_MAGIC 0x31535851

#define PAINT 0xa5
/* Growth steps, small: the machine collects before it grows, so little garbage hides in the reserve. */
#define CHUNK_STEP 1024
#define SLOT_STEP 64
/* The same for what is loaded beside the arena: far fewer collections. */
#define LOADING_CHUNK_STEP 8192
#define LOADING_SLOT_STEP 512
/* Room for the built-ins' own part of the stack, which a product has in flash: its exact size is seen later. */
#define BUILTIN_STACK_SLOTS (mxStackIndexCount + 32)

/* ---- Console -------------------------------------------------------------------------------------------- */

static void writeNumber(txU8 value) {
  char digits[22];
  char* p = digits + sizeof digits - 1;
  *p = 0;
  do {
    *--p = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  boardWrite(" ");
  boardWrite(p);
}

/* Text on one line: what would break the line is escaped. */
static void writeText(const char* text) {
  char buffer[65];
  int n = 0;
  for (; *text; text++) {
    if (*text == '\n' || *text == '\\') buffer[n++] = '\\';
    buffer[n++] = *text == '\n' ? 'n' : *text;
    if (n >= 63) {
      buffer[n] = 0;
      boardWrite(buffer);
      n = 0;
    }
  }
  buffer[n] = 0;
  boardWrite(buffer);
}

static void writeLine(const char* kind, const char* text) {
  boardWrite(kind);
  boardWrite(" ");
  writeText(text);
  boardWrite("\n");
}

static _Noreturn void refuse(const char* reason) {
  writeLine("refuse", reason);
  boardExit(2);
}

/* ---- What newlib asks for ------------------------------------------------------------------------------- */

static txByte* heapTop = linkHeapStart;

void* _sbrk(ptrdiff_t increment) {
  txByte* result = heapTop;
  if (increment > linkHeapEnd - heapTop) {
    errno = ENOMEM;
    return (void*)-1;
  }
  heapTop += increment;
  return result;
}

/* No files, no other process, and a clock that stands at zero. */
int _write(int file, const char* data, int length) { return length; }
int _read(int file, char* data, int length) { return 0; }
int _close(int file) { return -1; }
int _lseek(int file, int offset, int whence) { return 0; }
int _isatty(int file) { return 1; }
int _fstat(int file, struct stat* status) {
  status->st_mode = S_IFCHR;
  return 0;
}
int _kill(int process, int signal) { return -1; }
int _getpid(void) { return 1; }
void _exit(int status) { boardExit(status); }
int _gettimeofday(struct timeval* time, void* zone) {
  time->tv_sec = 0;
  time->tv_usec = 0;
  return 0;
}
uint32_t modMilliseconds(void) { return 0; }

/* ---- What XS asks for ----------------------------------------------------------------------------------- */

/* Chunks grow up from the bottom of the arena, slots down from its top. `budget` is what may still be taken. */
static txByte* chunkTop;
static txByte* slotBottom;
static txSize budget;

void* fxAllocateChunks(txMachine* the, txSize size) {
  txByte* result = chunkTop;
  size = (size + 7) & ~7;
  if (size > budget || size > slotBottom - chunkTop) return C_NULL;
  budget -= size;
  chunkTop += size;
  return result;
}

txSlot* fxAllocateSlots(txMachine* the, txSize count) {
  txSize size = count * sizeof(txSlot);
  if (size > budget || size > slotBottom - chunkTop) return C_NULL;
  budget -= size;
  slotBottom -= size;
  return (txSlot*)slotBottom;
}

void fxFreeChunks(txMachine* the, void* chunks) {}
void fxFreeSlots(txMachine* the, void* slots) {}

/* A margin for the frames between two checks of the limit. */
char* fxCStackLimit(void) { return (char*)linkStackBottom + 1024; }

void fxQueuePromiseJobs(txMachine* the) { the->promiseJobs = 1; }

/* No parser on the device: eval and Function find no script and throw a SyntaxError. */
txScript* fxParseScript(txMachine* the, void* stream, txGetter getter, txUnsigned flags) { return C_NULL; }

void fxAbort(txMachine* the, int status) {
  const char* reason = "unknown";
  switch (status) {
    case XS_STACK_OVERFLOW_EXIT: reason = "stack overflow"; break;
    case XS_NOT_ENOUGH_MEMORY_EXIT: reason = "memory full"; break;
    case XS_NO_MORE_KEYS_EXIT: reason = "no more keys"; break;
    case XS_UNHANDLED_EXCEPTION_EXIT: reason = "unhandled exception"; break;
    case XS_UNHANDLED_REJECTION_EXIT: reason = "unhandled rejection"; break;
  }
  writeLine("abort", reason);
  boardExit(1);
}

/* ---- Paint: how deep the stacks went --------------------------------------------------------------------- */

static __attribute__((noinline)) txByte* cStackPointer(void) { return __builtin_frame_address(0); }

/* The painter's own frames, and a little more, are left alone. */
static __attribute__((noinline)) void paintStacks(txMachine* the) {
  memset(linkStackBottom, PAINT, cStackPointer() - 64 - linkStackBottom);
  memset(the->stackBottom, PAINT, (txByte*)the->stack - (txByte*)the->stackBottom);
}

static txSize painted(const txByte* from, const txByte* to) {
  const txByte* p = from;
  while (p < to && (txU1)*p == PAINT) p++;
  return (txSize)(p - from);
}

/* ---- Running --------------------------------------------------------------------------------------------- */

static void hostPrint(txMachine* the) {
  writeLine(">", mxArgc > 0 ? fxToString(the, mxArgv(0)) : "");
}

/* hexBytes(text): the bytes of lower-case digits, an ArrayBuffer. Scripts would make garbage of every few. */
static void hostHexBytes(txMachine* the) {
  txInteger length = (txInteger)strlen(fxToString(the, mxArgv(0))) / 2;
  fxArrayBuffer(the, mxResult, C_NULL, length, -1);
  txByte* bytes = fxToArrayBuffer(the, mxResult);
  const char* text = mxArgv(0)->value.string;
  for (txInteger i = 0; i < 2 * length; i++) {
    int digit = text[i] - (text[i] < 'a' ? '0' : 'a' - 10);
    bytes[i / 2] = (txByte)(i % 2 == 0 ? digit << 4 : bytes[i / 2] | digit);
  }
}

/* hexText(buffer, from, length): bytes of an ArrayBuffer as such digits. */
static void hostHexText(txMachine* the) {
  txInteger from = fxToInteger(the, mxArgv(1)), length = fxToInteger(the, mxArgv(2));
  fxStringBuffer(the, mxResult, C_NULL, 2 * length);
  const txByte* bytes = (txByte*)fxToArrayBuffer(the, mxArgv(0)) + from;
  for (txInteger i = 0; i < length; i++) {
    mxResult->value.string[2 * i] = "0123456789abcdef"[(txU1)bytes[i] >> 4];
    mxResult->value.string[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
  }
}

/* memoryHolds(text): how often the bytes of these digits lie in the arena or on the C stack, in use or not. */
static txBoolean digitsAt(const txByte* at, const char* text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    txU1 byte = (txU1)at[i];
    if ("0123456789abcdef"[byte >> 4] != text[2 * i] || "0123456789abcdef"[byte & 15] != text[2 * i + 1]) return 0;
  }
  return 1;
}

static int countIn(const txByte* from, const txByte* to, const char* text) {
  size_t length = strlen(text) / 2;
  int count = 0;
  for (const txByte* at = from; at + length <= to; at++)
    if (digitsAt(at, text, length)) count++;
  return count;
}

static void hostMemoryHolds(txMachine* the) {
  const char* text = fxToString(the, mxArgv(0));
  mxResult->value.integer = countIn(linkArenaStart, linkArenaEnd, text) + countIn(linkStackBottom, linkArenaStart, text);
  mxResult->kind = XS_INTEGER_KIND;
}

static void define(txMachine* the, txString name, txCallback callback, txInteger length) {
  txID id = fxID(the, name);
  fxNewHostFunction(the, callback, length, id, XS_NO_ID);
  mxPush(mxGlobal);
  mxSetID(id);
  mxPop();
}

static txSize slotBytes(txMachine* the) { return the->currentHeapCount * (txSize)sizeof(txSlot); }

static void runJobs(txMachine* the) {
  while (the->promiseJobs) {
    the->promiseJobs = 0;
    fxRunPromiseJobs(the);
  }
}

static void writeException(txMachine* the, const char* kind, int index) {
  boardWrite(kind);
  if (index >= 0) writeNumber(index);
  boardWrite(" ");
  writeText(fxToString(the, &mxException));
  boardWrite("\n");
  mxException = mxUndefined;
}

/* The bytecode has the keys of a machine that named the same names in the same order: check that it is so. */
static void nameKeys(txMachine* the, const Image* image) {
  const txU1* p = boardProgram + image->namesOffset;
  for (uint32_t i = 0; i < image->nameCount; i++) {
    txID expected = (txID)(p[0] | p[1] << 8);
    p += 2;
    if (fxNewNameC(the, (txString)p) != expected) refuse("bytecode of another machine");
    p += strlen((const char*)p) + 1;
  }
}

static int runProgram(txMachine* the, const Image* image) {
  txScript script;
  volatile int good = 0;
  memset(&script, 0, sizeof script);
  script.codeBuffer = (txS1*)boardProgram + image->codeOffset;
  script.codeSize = (txSize)image->codeBytes;
  script.path = "program";
  mxTry(the) {
    fxRunScript(the, &script, &mxGlobal, C_NULL, mxRealmClosures(mxModuleInstanceInternal(mxProgram.value.reference)->value.module.realm)->value.reference, C_NULL, mxProgram.value.reference);
    mxPop();
    runJobs(the);
    good = 1;
  }
  mxCatch(the) { writeException(the, "throw load", -1); }
  return good;
}

/* Calls function `index` of the array on top of the stack. */
static void runCall(txMachine* the, int index) {
  txSlot* const top = the->stack;
  txByte* const frame = cStackPointer();
  txSize slots, chunks;
  uint64_t from, to;
  mxTry(the) {
    mxPushUndefined();
    mxPushSlot(top);
    mxGetIndex(index);
    fxCollectGarbage(the);
    slots = slotBytes(the);
    chunks = the->currentChunksSize;
    the->peakHeapCount = the->currentHeapCount;
    the->peakChunksSize = chunks;
    txSlot* const before = the->stack;
    paintStacks(the);
    from = boardCount();
    mxCall();
    mxRunCount(0);
    to = boardCount();
    txSize cStack = (txSize)(frame - linkStackBottom) - painted(linkStackBottom, frame);
    txSize stack = (txSize)((txByte*)before - (txByte*)the->stackBottom);
    stack -= painted((txByte*)the->stackBottom, (txByte*)before);
    boardWrite("call");
    writeNumber(index);
    writeNumber(to - from);
    writeNumber(slots);
    writeNumber(chunks);
    writeNumber(the->peakHeapCount * sizeof(txSlot));
    writeNumber(the->peakChunksSize);
    writeNumber(cStack);
    writeNumber(stack);
    boardWrite("\n");
    runJobs(the);
    txString text = fxToString(the, the->stack);
    boardWrite("value");
    writeNumber(index);
    boardWrite(" ");
    writeText(text);
    boardWrite("\n");
  }
  mxCatch(the) { writeException(the, "throw", index); }
  the->stack = top;
}

/* What is reserved and free. */
static txSize freeBytes(txMachine* the) {
  return the->maximumChunksSize - the->currentChunksSize + the->maximumHeapCount * (txSize)sizeof(txSlot) - slotBytes(the);
}

/* Lets the machine have this much beside what is in use. */
static void setBudget(txMachine* the, txSize wanted) {
  fxCollectGarbage(the);
  the->minimumChunksSize = CHUNK_STEP;
  the->minimumHeapCount = SLOT_STEP;
  txSize free = freeBytes(the);
  if (wanted > budget + free) refuse("the arena does not fit into this board's memory");
  budget = wanted > free ? wanted - free : 0;
}

int main(void) {
  const Image* image = (const Image*)boardProgram;
  if (image->magic != IMAGE_MAGIC) refuse("no program");
  chunkTop = linkArenaStart;
  slotBottom = linkArenaEnd;
  budget = (txSize)(slotBottom - chunkTop);

  const uint32_t stackSlots = image->loadingCalls > 0 ? image->loadingStackSlots : image->stackSlots;
  txCreation creation = {
      .initialChunkSize = CHUNK_STEP,
      .incrementalChunkSize = CHUNK_STEP,
      .initialHeapCount = SLOT_STEP,
      .incrementalHeapCount = SLOT_STEP,
      .stackCount = (txSize)stackSlots + BUILTIN_STACK_SLOTS,
      .initialKeyCount = XS_ID_COUNT + 32,
      .incrementalKeyCount = 64,
      .nameModulo = 127,
      .symbolModulo = 127,
      .parserBufferSize = 1024,
      .parserTableModulo = 127,
  };
  txMachine* the = fxCreateMachine(&creation, "micro", C_NULL, XS_NO_ID);
  if (!the) refuse("no machine");
  {
    const txSize stackBytes = (txSize)(stackSlots * sizeof(txSlot));
    const txSize wanted = (txSize)image->arenaBytes;
    const int loadingCalls = (int)image->loadingCalls;
    fxBeginHost(the);
    define(the, "print", hostPrint, 1);
    define(the, "hexBytes", hostHexBytes, 1);
    define(the, "hexText", hostHexText, 3);
    define(the, "memoryHolds", hostMemoryHolds, 1);
    fxCollectGarbage(the);
    if (the->stack - the->stackBottom < (ptrdiff_t)stackSlots) refuse("no room for the stack");
    the->stackBottom = the->stack - stackSlots;
    boardWrite("boot");
    writeNumber(slotBytes(the) + the->currentChunksSize);
    writeNumber(budget + freeBytes(the) + stackBytes);
    boardWrite("\n");
    if (loadingCalls == 0) {
      if (wanted < stackBytes + freeBytes(the)) refuse("the arena is smaller than the stack");
      setBudget(the, wanted - stackBytes);
    } else {
      the->minimumChunksSize = LOADING_CHUNK_STEP;
      the->minimumHeapCount = LOADING_SLOT_STEP;
    }

    uint64_t from = boardCount();
    nameKeys(the, image);
    if (runProgram(the, image)) {
      uint64_t to = boardCount();
      fxCollectGarbage(the);
      boardWrite("load");
      writeNumber(to - from);
      writeNumber(slotBytes(the));
      writeNumber(the->currentChunksSize);
      writeNumber(heapTop - linkHeapStart);
      boardWrite("\n");
      mxPush(mxGlobal);
      mxGetID(fxID(the, "calls"));
      int count = (int)fxGetIndexSize(the, fxToInstance(the, the->stack)->next);
      for (int i = 0; i < count; i++) {
        if (i > 0 && i == loadingCalls) {
          setBudget(the, wanted);
          the->stackBottom = the->stack - image->stackSlots;
        }
        runCall(the, i);
      }
      mxPop();
      boardWrite("end\n");
    }
    fxEndHost(the);
  }
  return 0;
}
