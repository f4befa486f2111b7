/* Cortex-M4 of QEMU's mps2-an386, console and exit by semihosting. */
#include "board.h"

/* The loader puts the program at the start of the board's 16 MB of PSRAM. */
const uint8_t* const boardProgram = (const uint8_t*)0x21000000;

extern uint32_t linkStackTop, linkDataStart, linkDataEnd, linkDataLoad, linkBssStart, linkBssEnd;

#define REGISTER(address) (*(volatile uint32_t*)(address))
#define CPACR REGISTER(0xE000ED88)
#define TIMER_CTRL REGISTER(0x40000000)
#define TIMER_VALUE REGISTER(0x40000004)
#define TIMER_RELOAD REGISTER(0x40000008)

/*
 * CMSDK timer 0 runs at 25 MHz. With -icount shift=0 an instruction takes 1 ns of virtual time: a tick is
 * 40 instructions. It counts down and wraps after 2^32 ticks, so boardCount must be called before that.
 */
#define INSTRUCTIONS_PER_TICK 40

static uint32_t lastTick;
static uint64_t ticks;

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20 };
enum { ADP_STOPPED_APPLICATION_EXIT = 0x20026 };

static int semihosting(int operation, const void* argument) {
  register int r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void boardInit(void) {
  TIMER_RELOAD = 0xffffffff;
  TIMER_VALUE = 0xffffffff;
  TIMER_CTRL = 1;
  lastTick = 0xffffffff;
}

uint64_t boardCount(void) {
  uint32_t now = TIMER_VALUE;
  ticks += (uint32_t)(lastTick - now);
  lastTick = now;
  return ticks * INSTRUCTIONS_PER_TICK;
}

void boardWrite(const char* text) { semihosting(SYS_WRITE0, text); }

void boardExit(int status) {
  uint32_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)status};
  semihosting(SYS_EXIT_EXTENDED, block);
  for (;;) {
  }
}

static void fault(void) {
  boardWrite("fault\n");
  boardExit(99);
}

void reset(void) {
  uint32_t* from = &linkDataLoad;
  for (uint32_t* to = &linkDataStart; to < &linkDataEnd;) *to++ = *from++;
  for (uint32_t* to = &linkBssStart; to < &linkBssEnd;) *to++ = 0;
  /* The floating point unit is off after reset. */
  CPACR |= 0xfu << 20;
  __asm__ volatile("dsb\n isb");
  boardInit();
  boardExit(main());
}

__attribute__((section(".vectors"), used)) static void* const vectors[16] = {
    &linkStackTop, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault,
};
