/* bcryptprimitives.dll for Wine before 9, which has none: the one function that Rust's
 * library takes from it. Windows has its own, and never sees this one: it lies beside
 * python.exe by another name (tremplin_agent.platform.wine). */

#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG size);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T size) {
    return SystemFunction036(buffer, (ULONG)size);
}
