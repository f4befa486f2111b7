/*
 * XS on this machine as a program of 32 bits, with slots and pointers of a device's size: evaluates scripts,
 * and tells how many bytes of slots and chunks are alive. Messages are those of the 64-bit worker (xs.ts):
 * netstrings on the descriptors 3 (to it) and 4 (from it), of which it knows
 *
 *   to the worker    e<code>    evaluate a script
 *                    /          answer to a printed line
 *   from the worker  ?<text>    a printed line
 *                    .<meter>   the script ended; the meter is JSON: {slots, chunks}, bytes alive
 *                    !<text>    the script threw
 *
 * The script has three functions more than the language:
 *
 *   print(text)
 *   live()      bytes alive, after a collection of garbage
 *   watch(f)    calls f; by how many bytes, at the most, more were alive then than before. Garbage is collected
 *               before every allocation, so that none is counted.
 */
#include "xsAll.h"
#include "xsScript.h"

#if INTPTR_MAX != INT32_MAX
  #error "not a program of 32 bits"
#endif

/* Of xsMemory.c, compiled with mxStress: collect before every allocation. */
extern int gxStress;

static FILE* fromParent;
static FILE* toParent;

static void send(const char* kind, const char* text) {
  fprintf(toParent, "%u:%s%s,", (unsigned)(strlen(kind) + strlen(text)), kind, text);
  fflush(toParent);
}

/* The next message, or null at the end of the stream. To be freed. */
static char* receive(void) {
  unsigned length;
  if (fscanf(fromParent, "%9u", &length) != 1 || fgetc(fromParent) != ':') return NULL;
  char* text = malloc(length + 1);
  if (!text || fread(text, 1, length, fromParent) != length || fgetc(fromParent) != ',') exit(1);
  text[length] = 0;
  return text;
}

/* Far more than a device has; the C library's own limit is not told of in time. */
static txSize budget = 64 << 20;

static void* allocate(txSize size) {
  if (size > budget) return C_NULL;
  budget -= size;
  return malloc(size);
}

void* fxAllocateChunks(txMachine* the, txSize size) { return allocate(size); }
txSlot* fxAllocateSlots(txMachine* the, txSize count) { return allocate(count * (txSize)sizeof(txSlot)); }
void fxFreeChunks(txMachine* the, void* chunks) { free(chunks); }
void fxFreeSlots(txMachine* the, void* slots) { free(slots); }

/* Exit codes as those of the 64-bit worker. */
void fxAbort(txMachine* the, int status) { exit(10 + status); }

static txInteger liveNow(txMachine* the) {
  fxCollectGarbage(the);
  return (txInteger)(the->currentHeapCount * sizeof(txSlot) + the->currentChunksSize);
}

static void hostPrint(txMachine* the) {
  send("?", mxArgc > 0 ? fxToString(the, mxArgv(0)) : "");
  free(receive());
}

static void hostLive(txMachine* the) {
  mxResult->value.integer = liveNow(the);
  mxResult->kind = XS_INTEGER_KIND;
}

/* The most slots and the most chunks, which is no less than the most of both at one time. */
static void hostWatch(txMachine* the) {
  txInteger before = liveNow(the);
  the->peakHeapCount = the->currentHeapCount;
  the->peakChunksSize = the->currentChunksSize;
  mxTry(the) {
    mxPushUndefined();
    mxPushSlot(mxArgv(0));
    mxCall();
    gxStress = 1;
    mxRunCount(0);
    gxStress = 0;
    mxPop();
  }
  mxCatch(the) {
    gxStress = 0;
    fxJump(the);
  }
  mxResult->value.integer = (txInteger)(the->peakHeapCount * sizeof(txSlot) + the->peakChunksSize) - before;
  mxResult->kind = XS_INTEGER_KIND;
}

static void define(txMachine* the, txString name, txCallback callback, txInteger length) {
  txID id = fxID(the, name);
  fxNewHostFunction(the, callback, length, id, XS_NO_ID);
  mxPush(mxGlobal);
  mxSetID(id);
  mxPop();
}

/* Runs a script; false leaves what it threw in mxException. */
static txBoolean evaluate(txMachine* the, char* code) {
  volatile txBoolean good = 0;
  txStringCStream stream = {.buffer = code, .offset = 0, .size = (txSize)strlen(code)};
  mxTry(the) {
    txScript* script = fxParseScript(the, &stream, fxStringCGetter, mxProgramFlag);
    txSlot* realm = mxModuleInstanceInternal(mxProgram.value.reference)->value.module.realm;
    fxRunScript(the, script, &mxGlobal, C_NULL, mxRealmClosures(realm)->value.reference, C_NULL, mxProgram.value.reference);
    mxPop();
    good = 1;
  }
  mxCatch(the) {}
  return good;
}

int main(void) {
  fromParent = fdopen(3, "rb");
  toParent = fdopen(4, "wb");
  if (!fromParent || !toParent) {
    fprintf(stderr, "worker32: descriptors 3 and 4 are not open\n");
    return 2;
  }
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
      .parserBufferSize = 1 << 20,
      .parserTableModulo = 1993,
  };
  txMachine* the = fxCreateMachine(&creation, "worker32", C_NULL, XS_NO_ID);
  if (!the) return 1;
  fxBeginHost(the);
  define(the, "print", hostPrint, 1);
  define(the, "live", hostLive, 0);
  define(the, "watch", hostWatch, 1);
  for (char* message; (message = receive()) != NULL; free(message)) {
    if (message[0] != 'e') return 2;
    if (evaluate(the, message + 1)) {
      char meter[64];
      liveNow(the);
      snprintf(meter, sizeof meter, "{\"slots\":%d,\"chunks\":%d}", (int)(the->currentHeapCount * sizeof(txSlot)),
               (int)the->currentChunksSize);
      send(".", meter);
    } else {
      send("!", fxToString(the, &mxException));
      mxException = mxUndefined;
    }
  }
  return 0;
}
