/* The EXE: the MSI as its resource, and the switches of the .bin mapped to properties.
 *
 * --jc-tag VALUE and --jc-tag=VALUE become JC_TAG="VALUE"; /switches and PROPERTY=VALUE go
 * to msiexec as they are. Silent where it is started from a console or by a program, with
 * the reason of a failure on stderr; with msiexec's small windows otherwise. The exit
 * status is msiexec's. */

#include <windows.h>
#include <shellapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include "texts.h"

/* The server writes the key info of an installer over the at signs of an unsigned EXE. */
__attribute__((used)) static const volatile char slot[] =
    "\nTREMPLIN_KEY_INFO=\"" SLOT "\"\nTREMPLIN_VERSION=\"" VERSION "\"\n";

struct option {
    const WCHAR *flag, *property;
    BOOL is_switch;
};
static const struct option options[] = {OPTIONS};

struct line {
    WCHAR text[32768];
    size_t length;
};

static void fail(const WCHAR *words, UINT status);

static void append(struct line *to, const WCHAR *words) {
    size_t length = wcslen(words);
    if (to->length + length >= sizeof to->text / sizeof(WCHAR))
        fail(L"install.usage: the command line is too long", ERROR_INVALID_COMMAND_LINE);
    memcpy(to->text + to->length, words, (length + 1) * sizeof(WCHAR));
    to->length += length;
}

/* --- speaking ------------------------------------------------------------------------ */

static BOOL is_silent;

static void write_to(DWORD stream, const WCHAR *words) {
    HANDLE handle = GetStdHandle(stream);
    char bytes[65536];
    DWORD written, mode;
    int size;
    if (!handle || handle == INVALID_HANDLE_VALUE) return;
    if (GetConsoleMode(handle, &mode)) {
        WriteConsoleW(handle, words, wcslen(words), &written, NULL);
        return;
    }
    size = WideCharToMultiByte(CP_UTF8, 0, words, -1, bytes, sizeof bytes, NULL, NULL);
    if (size > 1) WriteFile(handle, bytes, size - 1, &written, NULL);
}

static void fail(const WCHAR *words, UINT status) {
    if (is_silent) {
        write_to(STD_ERROR_HANDLE, L"tremplin-installer: ");
        write_to(STD_ERROR_HANDLE, words);
        write_to(STD_ERROR_HANDLE, L"\n");
    } else {
        MessageBoxW(NULL, words, L"Tremplin Jump Client", MB_ICONERROR | MB_OK);
    }
    ExitProcess(status);
}

/* A program of the windowed kind has no console of its own, but may borrow its parent's. */
static void find_console(void) {
    HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
    is_silent = out && out != INVALID_HANDLE_VALUE && GetFileType(out) != FILE_TYPE_UNKNOWN;
    if (!is_silent && AttachConsole(ATTACH_PARENT_PROCESS)) {
        HANDLE console = CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE,
                                     FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
        SetStdHandle(STD_OUTPUT_HANDLE, console);
        SetStdHandle(STD_ERROR_HANDLE, console);
        is_silent = TRUE;
    }
}

static BOOL reads_french(void) {
    return PRIMARYLANGID(GetUserDefaultUILanguage()) == LANG_FRENCH;
}

/* --- from switches to properties ----------------------------------------------------- */

/* PROPERTY="VALUE", quotes in the value doubled as msiexec has it. */
static void append_property(struct line *to, const WCHAR *name, const WCHAR *value) {
    append(to, L" ");
    append(to, name);
    append(to, L"=\"");
    for (; *value; value++) {
        WCHAR letter[3] = {*value, *value == L'"' ? L'"' : 0, 0};
        append(to, letter);
    }
    append(to, L"\"");
}

static const struct option *find(const WCHAR *word, size_t length) {
    size_t i;
    for (i = 0; i < sizeof options / sizeof *options; i++)
        if (wcslen(options[i].flag) == length && !wcsncmp(options[i].flag, word, length))
            return &options[i];
    return NULL;
}

static void refuse(const WCHAR *word) {
    struct line words = {.length = 0};
    append(&words, reads_french() ? L"install.usage: paramètre inconnu ou sans valeur : "
                                  : L"install.usage: unknown parameter, or one without its value: ");
    append(&words, word);
    append(&words, reads_french() ? L" ; --help donne la liste des paramètres"
                                  : L"; run with --help to see the parameters");
    fail(words.text, ERROR_INVALID_COMMAND_LINE);
}

/* Appends what words[i] means; returns how many more words belong to it. */
static int map(struct line *to, WCHAR **words, int i, int count) {
    const WCHAR *word = words[i], *equals = wcschr(word, L'=');
    size_t length = equals ? (size_t)(equals - word) : wcslen(word);
    const struct option *option = find(word, length);
    if (!option) refuse(word);
    if (equals) {
        append_property(to, option->property, equals + 1);
        return 0;
    }
    if (option->is_switch) {
        append_property(to, option->property, L"yes");
        return 0;
    }
    if (i + 1 >= count) refuse(word);
    append_property(to, option->property, words[i + 1]);
    return 1;
}

/* A word for msiexec: NAME=VALUE, a /switch, or the file that a /switch takes. */
static void pass(struct line *to, const WCHAR *word) {
    const WCHAR *equals = wcschr(word, L'=');
    WCHAR name[128];
    if (equals && word[0] != L'/' && equals - word < 128) {
        wcsncpy(name, word, equals - word);
        name[equals - word] = 0;
        append_property(to, name, equals + 1);
        return;
    }
    append(to, wcschr(word, L' ') ? L" \"" : L" ");
    append(to, word);
    if (wcschr(word, L' ')) append(to, L"\"");
}

/* --- the MSI ------------------------------------------------------------------------- */

static void write_msi(const WCHAR *path) {
    HRSRC found = FindResourceW(NULL, L"PACKAGE", (const WCHAR *)RT_RCDATA);
    HGLOBAL loaded = LoadResource(NULL, found);
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD size = SizeofResource(NULL, found), written = 0;
    if (file == INVALID_HANDLE_VALUE ||
        !WriteFile(file, LockResource(loaded), size, &written, NULL) || written != size)
        fail(L"install.no_space: the temporary directory takes no more", ERROR_INSTALL_FAILURE);
    CloseHandle(file);
}

/* A new directory, that nobody else can have put anything into. */
static void make_directory(WCHAR *path) {
    WCHAR above[MAX_PATH];
    GUID name;
    CoCreateGuid(&name);
    GetTempPathW(MAX_PATH - 60, above);
    swprintf(path, MAX_PATH, L"%lstremplin-%08lx%04x%04x", above, name.Data1, name.Data2, name.Data3);
    if (!CreateDirectoryW(path, NULL))
        fail(L"install.dir_not_writable: no temporary directory", ERROR_INSTALL_FAILURE);
}

/* Windows' own msiexec by its whole path: a name alone would be looked for beside this EXE
 * first, where anybody may have put one that then runs as an administrator. */
static DWORD run(struct line *line) {
    STARTUPINFOW how = {.cb = sizeof how};
    PROCESS_INFORMATION process;
    DWORD status = ERROR_INSTALL_FAILURE;
    WCHAR program[MAX_PATH + 16];
    UINT length = GetSystemDirectoryW(program, MAX_PATH);
    if (!length || length >= MAX_PATH)
        fail(L"install.internal: Windows does not tell where it is", ERROR_INSTALL_FAILURE);
    wcscat(program, L"\\msiexec.exe");
    if (!CreateProcessW(program, line->text, NULL, NULL, FALSE, 0, NULL, NULL, &how, &process))
        fail(L"install.internal: msiexec cannot be started", ERROR_INSTALL_FAILURE);
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &status);
    CloseHandle(process.hProcess);
    CloseHandle(process.hThread);
    return status;
}

/* The installer's log: UTF-16 with a mark at its beginning, or 8 bits under Wine. */
static WCHAR *read_log(const WCHAR *path) {
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                              OPEN_EXISTING, 0, NULL);
    DWORD size, got = 0;
    char *bytes;
    WCHAR *text;
    if (file == INVALID_HANDLE_VALUE) return NULL;
    size = GetFileSize(file, NULL);
    bytes = calloc(size + 2, 1);
    if (!bytes || !ReadFile(file, bytes, size, &got, NULL)) got = 0;
    CloseHandle(file);
    if (got >= 2 && (BYTE)bytes[0] == 0xFF && (BYTE)bytes[1] == 0xFE) return (WCHAR *)bytes;
    text = calloc(got + 1, sizeof(WCHAR));
    if (bytes && text) MultiByteToWideChar(CP_UTF8, 0, bytes, got, text, got);
    free(bytes);
    return text;
}

/* Shows the reason that the installer's log tells: the last line of ours before it gave up. */
static void show_reason(const WCHAR *log) {
    static const WCHAR mark[] = L"tremplin-installer: ";
    WCHAR *text = read_log(log), *found, *last = NULL, *end;
    if (!text) return;
    for (found = wcsstr(text, mark); found; found = wcsstr(found + 1, mark)) {
        WCHAR *code = found + wcslen(mark);
        if (wcsncmp(code, L"install.", 8) && wcsncmp(code, L"enrol.", 6) &&
            wcsncmp(code, L"limit.", 6))
            continue;
        last = found;
    }
    if (!last) return;
    end = wcspbrk(last, L"\r\n");
    if (end) *end = 0;
    write_to(STD_ERROR_HANDLE, last);
    write_to(STD_ERROR_HANDLE, L"\n");
}

static void append_key(struct line *to) {
    char key[sizeof slot];
    WCHAR words[sizeof slot];
    size_t i, length = 0;
    for (i = strlen("\nTREMPLIN_KEY_INFO=\""); slot[i] && slot[i] != '"'; i++)
        if (slot[i] != '@' && slot[i] != ' ') key[length++] = slot[i];
    key[length] = 0;
    if (!length) return;
    for (i = 0; i <= length; i++) words[i] = key[i];
    append_property(to, L"KEY_INFO", words);
}

int WINAPI wWinMain(HINSTANCE instance, HINSTANCE before, WCHAR *unused, int show) {
    static struct line line, given;
    WCHAR directory[MAX_PATH], msi[MAX_PATH + 40], log[MAX_PATH + 40];
    BOOL has_interface = FALSE, has_log = FALSE, has_key = FALSE;
    int count, i;
    WCHAR **words = CommandLineToArgvW(GetCommandLineW(), &count);
    DWORD status;
    find_console();
    for (i = 1; i < count; i++) {
        const WCHAR *word = words[i];
        if (!wcscmp(word, L"--help") || !wcscmp(word, L"-h") || !wcscmp(word, L"/?")) {
            if (is_silent) write_to(STD_OUTPUT_HANDLE, reads_french() ? HELP_FR : HELP_EN);
            else MessageBoxW(NULL, reads_french() ? HELP_FR : HELP_EN, L"Tremplin Jump Client", MB_OK);
            return 0;
        }
        if (!wcscmp(word, L"--version")) {
            write_to(STD_OUTPUT_HANDLE, VERSION_LINE);
            return 0;
        }
        if (!wcscmp(word, L"--quiet")) {
            has_interface = TRUE;
            append(&given, L" /qn");
            continue;
        }
        has_key |= !_wcsnicmp(word, L"KEY_INFO=", 9) || !wcsncmp(word, L"--key-info", 10);
        has_interface |= !_wcsnicmp(word, L"/q", 2);
        has_log |= !_wcsnicmp(word, L"/l", 2);
        if (word[0] == L'-') i += map(&given, words, i, count);
        else pass(&given, word);
    }
    make_directory(directory);
    swprintf(msi, MAX_PATH + 40, L"%ls\\tremplin-scc-win64.msi", directory);
    swprintf(log, MAX_PATH + 40, L"%ls\\msiexec.log", directory);
    write_msi(msi);
    append(&line, L"msiexec.exe /i \"");
    append(&line, msi);
    append(&line, L"\"");
    append(&line, given.text);
    if (!has_key) append_key(&line);
    if (!has_interface) append(&line, is_silent ? L" /qn" : L" /qb!");
    if (!has_log && is_silent) {
        append(&line, L" /l*v \"");
        append(&line, log);
        append(&line, L"\"");
    }
    status = run(&line);
    if (status && !has_log && is_silent) show_reason(log);
    SecureZeroMemory(&line, sizeof line);
    DeleteFileW(msi);
    DeleteFileW(log);
    RemoveDirectoryW(directory);
    return status;
}
