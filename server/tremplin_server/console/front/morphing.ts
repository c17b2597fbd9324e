// A part that refreshes itself is changed where it differs, rather than replaced: the focus, a
// press of the mouse that is under way, what is typed and what is scrolled to stay as they are.

import type { HtmxExtension } from "htmx.org";
import { Idiomorph } from "idiomorph";

export const morphing: Partial<HtmxExtension> = {
  isInlineSwap: () => false,
  handleSwap(swapStyle, target, fragment): Node[] | false {
    if (swapStyle !== "morph") return false;
    const how = { morphStyle: "innerHTML", callbacks: { beforeAttributeUpdated } } as const;
    // It answers a promise only when it is asked to wait for what a page's head loads.
    return Idiomorph.morph(target as Element, [...fragment.childNodes], how) as Node[];
  },
};

/** Which rows are selected is the page's own: the server knows nothing of it. */
const OWN = new Set(["aria-selected", "tabindex", "checked"]);

function beforeAttributeUpdated(name: string, node: Element): boolean {
  return !(OWN.has(name) && node.closest("#grid"));
}
