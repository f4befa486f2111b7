/*
 * RP2040 (Cortex-M0+), started bare: no boot ROM and no second-stage loader. Console, cycle counter and exit
 * are registers at an address where the chip has nothing; rp2040.ts answers there.
 */
#include "board.h"

/* The program is written into flash, 1 MB above the firmware. */
const uint8_t* const boardProgram = (const uint8_t*)0x10100000;

extern uint32_t linkStackTop, linkDataStart, linkDataEnd, linkDataLoad, linkBssStart, linkBssEnd;

#define MONITOR_PUT (*(volatile uint32_t*)0x40080000)
/* Reading the low half holds the high half. */
#define MONITOR_CYCLES_LOW (*(volatile uint32_t*)0x40080004)
#define MONITOR_CYCLES_HIGH (*(volatile uint32_t*)0x40080008)
#define MONITOR_EXIT (*(volatile uint32_t*)0x4008000c)

void boardInit(void) {}

uint64_t boardCount(void) {
  uint32_t low = MONITOR_CYCLES_LOW;
  return (uint64_t)MONITOR_CYCLES_HIGH << 32 | low;
}

void boardWrite(const char* text) {
  while (*text) MONITOR_PUT = (uint8_t)*text++;
}

void boardExit(int status) {
  for (;;) MONITOR_EXIT = (uint32_t)status;
}

static void fault(void) {
  boardWrite("fault\n");
  boardExit(99);
}

void reset(void) {
  uint32_t* from = &linkDataLoad;
  for (uint32_t* to = &linkDataStart; to < &linkDataEnd;) *to++ = *from++;
  for (uint32_t* to = &linkBssStart; to < &linkBssEnd;) *to++ = 0;
  boardExit(main());
}

__attribute__((section(".vectors"), used)) static void* const vectors[16] = {
    &linkStackTop, reset, fault, fault, 0, 0, 0, 0, 0, 0, 0, fault, 0, 0, fault, fault,
};
