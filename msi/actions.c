/* The MSI's custom actions.
 *
 * Plan (immediate) looks at what is asked for and refuses what cannot be done, and puts
 * together what the deferred actions need: those see no property but their own data.
 * Register, Unregister and Rollback run a command of DIR\lib with that data on its stdin.
 * Forget removes directories that are empty by then.
 *
 * What goes wrong is said in the installer's log, in its dialogue if it has one, and in
 * the event log. */

#include <windows.h>
#include <msi.h>
#include <msiquery.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include "texts.h"

#define SOURCE L"Tremplin Jump Client"
#define DATA L"CustomActionData"

/* The server finds the version of an MSI by it. */
__attribute__((used)) static const volatile char version[] =
    "\nTREMPLIN_VERSION=\"" VERSION "\"\n";

/* --- strings ------------------------------------------------------------------------- */

struct text {
    WCHAR *start;
    size_t length, room;
};

static void append(struct text *to, const WCHAR *more, size_t length) {
    if (to->length + length + 1 > to->room) {
        to->room = (to->length + length + 1) * 2;
        to->start = realloc(to->start, to->room * sizeof(WCHAR));
        if (!to->start) abort();
    }
    memcpy(to->start + to->length, more, length * sizeof(WCHAR));
    to->length += length;
    to->start[to->length] = 0;
}

static void append_all(struct text *to, const WCHAR *more) { append(to, more, wcslen(more)); }

static void append_json(struct text *to, const WCHAR *value) {
    append(to, L"\"", 1);
    for (; *value; value++) {
        WCHAR escaped[8];
        if (*value == L'"' || *value == L'\\') {
            swprintf(escaped, 8, L"\\%c", *value);
            append_all(to, escaped);
        } else if (*value < 0x20) {
            swprintf(escaped, 8, L"\\u%04x", *value);
            append_all(to, escaped);
        } else {
            append(to, value, 1);
        }
    }
    append(to, L"\"", 1);
}

/* --- the installer ------------------------------------------------------------------- */

static WCHAR *property(MSIHANDLE install, const WCHAR *name) {
    DWORD size = 0;
    WCHAR *value;
    MsiGetPropertyW(install, name, (WCHAR *)L"", &size);
    size++;
    value = calloc(size, sizeof(WCHAR));
    if (!value) abort();
    MsiGetPropertyW(install, name, value, &size);
    return value;
}

static BOOL has(MSIHANDLE install, const WCHAR *name) {
    WCHAR *value = property(install, name);
    BOOL found = value[0] != 0;
    free(value);
    return found;
}

static void say(MSIHANDLE install, INSTALLMESSAGE kind, const WCHAR *words) {
    MSIHANDLE record = MsiCreateRecord(1);
    MsiRecordSetStringW(record, 0, L"tremplin-installer: [1]");
    MsiRecordSetStringW(record, 1, words);
    MsiProcessMessage(install, kind, record);
    MsiCloseHandle(record);
}

static UINT fail(MSIHANDLE install, const WCHAR *words) {
    HANDLE source = RegisterEventSourceW(NULL, SOURCE);
    if (source) {
        ReportEventW(source, EVENTLOG_ERROR_TYPE, 0, 1, NULL, 1, 0, &words, NULL);
        DeregisterEventSource(source);
    }
    say(install, INSTALLMESSAGE_ERROR, words);
    return ERROR_INSTALL_FAILURE;
}

static BOOL reads_french(void) {
    return PRIMARYLANGID(GetUserDefaultUILanguage()) == LANG_FRENCH;
}

/* --- upgrades under Wine --------------------------------------------------------------
 *
 * Windows tells the older version, as it goes, that a newer one takes its place
 * (UPGRADINGPRODUCTCODE). Wine 8 does not: there the newer one leaves a key for it, which
 * no restart survives. */

#define UPGRADING L"SOFTWARE\\Tremplin Upgrading"

static BOOL is_wine(void) {
    HMODULE library = GetModuleHandleW(L"ntdll.dll");
    return library && GetProcAddress(library, "wine_get_version");
}

static void begin_upgrade(void) {
    HKEY key;
    if (is_wine() && !RegCreateKeyExW(HKEY_LOCAL_MACHINE, UPGRADING, 0, NULL, REG_OPTION_VOLATILE,
                                      KEY_WRITE, NULL, &key, NULL))
        RegCloseKey(key);
}

static BOOL is_upgrading(void) {
    HKEY key;
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, UPGRADING, 0, KEY_READ, &key)) return FALSE;
    RegCloseKey(key);
    return is_wine();
}

static void end_upgrade(void) {
    if (is_wine()) RegDeleteKeyW(HKEY_LOCAL_MACHINE, UPGRADING);
}

/* --- what is asked for --------------------------------------------------------------- */

static void without_backslash(WCHAR *path) {
    size_t length = wcslen(path);
    while (length > 3 && path[length - 1] == L'\\') path[--length] = 0;
}

/* The directories above DIR that are still to be made, deepest first. */
static WCHAR *missing_parents(const WCHAR *directory) {
    struct text found = {0};
    WCHAR *path = _wcsdup(directory), *last;
    append(&found, L"", 0);
    while ((last = wcsrchr(path, L'\\')) != NULL && last - path > 2) {
        *last = 0;
        if (GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES) break;
        append_all(&found, path);
        append(&found, L"|", 1);
    }
    free(path);
    return found.start;
}

static WCHAR *order(MSIHANDLE install, const WCHAR *directory, BOOL upgrade) {
    static const WCHAR *const names[] = {PROPERTIES};
    struct text made = {0};
    size_t i;
    append_all(&made, directory);
    append_all(&made, upgrade ? L"\n{\"upgrade\": true" : L"\n{\"upgrade\": false");
    append_all(&made, L", \"properties\": {");
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        WCHAR *value = property(install, names[i]);
        if (i) append_all(&made, L", ");
        append_json(&made, names[i]);
        append_all(&made, L": ");
        append_json(&made, value);
        free(value);
    }
    append_all(&made, L"}}");
    return made.start;
}

static UINT refuse_existing(MSIHANDLE install, const WCHAR *directory) {
    struct text words = {0};
    append_all(&words, reads_french() ? DIR_EXISTS_FR_BEFORE : DIR_EXISTS_EN_BEFORE);
    append_all(&words, directory);
    append_all(&words, reads_french() ? DIR_EXISTS_FR_AFTER : DIR_EXISTS_EN_AFTER);
    return fail(install, words.start);
}

static UINT check(MSIHANDLE install, const WCHAR *directory) {
    if (GetFileAttributesW(directory) != INVALID_FILE_ATTRIBUTES)
        return refuse_existing(install, directory);
    if (!has(install, L"KEY_INFO"))
        return fail(install, reads_french() ? KEY_MISSING_FR : KEY_MISSING_EN);
    return ERROR_SUCCESS;
}

__declspec(dllexport) UINT __stdcall Plan(MSIHANDLE install) {
    BOOL removing = has(install, L"Installed"), upgrade = has(install, L"OLDVERSION");
    BOOL replaced = has(install, L"UPGRADINGPRODUCTCODE") || is_upgrading();
    WCHAR *directory = property(install, L"INSTALLDIR"), *parents, *data;
    struct text forget = {0};
    without_backslash(directory);
    if (!removing && !upgrade) {
        UINT refused = check(install, directory);
        if (refused) return refused;
        parents = missing_parents(directory);
        MsiSetPropertyW(install, L"MADEPARENTS", parents);
    } else {
        parents = property(install, L"MADEPARENTS");
    }
    if (upgrade && !removing) begin_upgrade();
    data = order(install, directory, upgrade || replaced);
    MsiSetPropertyW(install, L"TremplinRegister", data);
    MsiSetPropertyW(install, L"TremplinRollback", data);
    MsiSetPropertyW(install, L"TremplinUnregister", data);
    append_all(&forget, directory);
    append(&forget, L"|", 1);
    append_all(&forget, parents);
    MsiSetPropertyW(install, L"TremplinForget", forget.start);
    MsiSetPropertyW(install, L"TremplinForgetRollback", forget.start);
    free(directory);
    free(parents);
    free(data);
    free(forget.start);
    return ERROR_SUCCESS;
}

/* --- the agent's commands ------------------------------------------------------------ */

static WCHAR *wide(const char *bytes, int length) {
    int size = MultiByteToWideChar(CP_UTF8, 0, bytes, length, NULL, 0);
    WCHAR *made = calloc(size + 1, sizeof(WCHAR));
    if (!made) abort();
    MultiByteToWideChar(CP_UTF8, 0, bytes, length, made, size);
    return made;
}

static void write_order(HANDLE to, const WCHAR *words) {
    int size = WideCharToMultiByte(CP_UTF8, 0, words, -1, NULL, 0, NULL, NULL);
    char *bytes = malloc(size);
    DWORD written;
    if (!bytes) abort();
    WideCharToMultiByte(CP_UTF8, 0, words, -1, bytes, size, NULL, NULL);
    WriteFile(to, bytes, size - 1, &written, NULL);
    SecureZeroMemory(bytes, size);
    free(bytes);
}

/* Logs what the command prints; returns its last line. */
static WCHAR *read_lines(MSIHANDLE install, HANDLE from) {
    char line[4096];
    DWORD length = 0, got;
    WCHAR *last = _wcsdup(L"");
    for (;;) {
        char byte = '\n';
        BOOL more = ReadFile(from, &byte, 1, &got, NULL) && got;
        if (more && byte != '\n' && byte != '\r' && length < sizeof line) {
            line[length++] = byte;
            continue;
        }
        if (length) {
            free(last);
            last = wide(line, length);
            say(install, INSTALLMESSAGE_INFO, last);
            length = 0;
        }
        if (!more) return last;
    }
}

static BOOL start(const WCHAR *directory, const WCHAR *command, HANDLE in, HANDLE out,
                  PROCESS_INFORMATION *process) {
    STARTUPINFOW how = {.cb = sizeof how, .dwFlags = STARTF_USESTDHANDLES};
    struct text line = {0};
    BOOL started;
    how.hStdInput = in;
    how.hStdOutput = how.hStdError = out;
    append_all(&line, L"\"");
    append_all(&line, directory);
    append_all(&line, L"\\python\\python.exe\" -I -S \"");
    append_all(&line, directory);
    append_all(&line, L"\\lib\" ");
    append_all(&line, command);
    started = CreateProcessW(NULL, line.start, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL,
                             &how, process);
    free(line.start);
    return started;
}

/* Whether the agent's Python is there: an undoing may come when the files are gone. */
static BOOL can_run(MSIHANDLE install) {
    WCHAR *directory = property(install, DATA), *end = wcschr(directory, L'\n');
    struct text path = {0};
    BOOL found;
    if (end) *end = 0;
    append_all(&path, directory);
    append_all(&path, L"\\python\\python.exe");
    found = GetFileAttributesW(path.start) != INVALID_FILE_ATTRIBUTES;
    free(directory);
    free(path.start);
    return found;
}

static UINT run(MSIHANDLE install, const WCHAR *command) {
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    HANDLE their_in, our_in, our_out, their_out;
    PROCESS_INFORMATION process;
    DWORD status = 1;
    WCHAR *directory = property(install, DATA), *words = wcschr(directory, L'\n'), *last;
    UINT result = ERROR_SUCCESS;
    if (!words) return fail(install, L"install.internal: no data");
    *words++ = 0;
    CreatePipe(&their_in, &our_in, &inherited, 0);
    CreatePipe(&our_out, &their_out, &inherited, 0);
    SetHandleInformation(our_in, HANDLE_FLAG_INHERIT, 0);
    SetHandleInformation(our_out, HANDLE_FLAG_INHERIT, 0);
    if (!start(directory, command, their_in, their_out, &process))
        return fail(install, L"install.internal: the agent's Python cannot be started");
    CloseHandle(their_in);
    CloseHandle(their_out);
    write_order(our_in, words);
    CloseHandle(our_in);
    last = read_lines(install, our_out);
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &status);
    CloseHandle(process.hProcess);
    CloseHandle(process.hThread);
    CloseHandle(our_out);
    if (status) result = fail(install, *last ? last : L"install.internal: it gives no reason");
    free(last);
    free(directory);
    return result;
}

__declspec(dllexport) UINT __stdcall Register(MSIHANDLE install) {
    end_upgrade();
    return run(install, L"register");
}

/* Neither a removal nor an undoing is kept back by anything. */
__declspec(dllexport) UINT __stdcall Unregister(MSIHANDLE install) {
    if (can_run(install)) run(install, L"unregister");
    return ERROR_SUCCESS;
}

/* What the agent was lent, under Wine alone (tremplin_agent.platform.wine). */
static void forget_lent(const WCHAR *directory) {
    struct text path = {0};
    append_all(&path, directory);
    append_all(&path, L"\\python");
    append_all(&path, L"\\" LENT);
    DeleteFileW(path.start);
    path.start[wcslen(directory) + wcslen(L"\\python")] = 0;
    RemoveDirectoryW(path.start);
    free(path.start);
}

__declspec(dllexport) UINT __stdcall Forget(MSIHANDLE install) {
    WCHAR *list = property(install, DATA), *path = list, *end;
    if (MsiGetMode(install, MSIRUNMODE_ROLLBACK)) end_upgrade();
    for (; (end = wcschr(path, L'|')) != NULL; path = end + 1) {
        *end = 0;
        if (is_wine() && path == list) forget_lent(path);
        RemoveDirectoryW(path);
    }
    free(list);
    return ERROR_SUCCESS;
}
