// What was dropped on the page: files, and directories with everything in them.

export interface Found {
  file: File;
  /** Names of the directories that it stands in, from the dropped one on. */
  within: string[];
}

export async function* dropped(items: DataTransfer): AsyncIterable<Found> {
  // The list of items is empty once this function has waited for anything.
  const entries = [...items.items].map((item) => item.webkitGetAsEntry());
  const files = [...items.files];
  if (entries.every((entry) => entry === null)) {
    for (const file of files) yield { file, within: [] };
    return;
  }
  for (const entry of entries) if (entry) yield* below(entry, []);
}

async function* below(entry: FileSystemEntry, within: string[]): AsyncIterable<Found> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    yield { file, within };
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  while (true) {
    // A reader gives a hundred entries at a time, then none.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!some.length) return;
    for (const one of some) yield* below(one, [...within, entry.name]);
  }
}
