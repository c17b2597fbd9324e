// Sizes and times in the reader's language.

import { language } from "./page";

const UNITS =
  language === "fr"
    ? ["o", "Ko", "Mo", "Go", "To", "Po"]
    : ["B", "KB", "MB", "GB", "TB", "PB"];
// As the pages write dates: the day before the month.
const locale = language === "fr" ? "fr-FR" : "en-GB";
const numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const times = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

export function bytes(count: number): string {
  let unit = 0;
  while (count >= 1000 && unit < UNITS.length - 1) {
    count /= 1000;
    unit += 1;
  }
  return `${(unit && count < 100 ? numbers : whole).format(count)}\u00a0${UNITS[unit]}`;
}

/** seconds: since 1970, as SFTP tells them. */
export function moment(seconds: number | null): string {
  return seconds === null ? "" : times.format(seconds * 1000);
}

/** Write the moments that matter to the reader by the clock of this machine. */
export function localTimes(): void {
  const clock = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" });
  for (const one of document.querySelectorAll<HTMLTimeElement>("time[data-local]")) {
    one.textContent = clock.format(new Date(one.dateTime));
  }
}
