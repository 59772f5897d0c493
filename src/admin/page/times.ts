/** Times as the page shows them: how long ago, with the full time for who points at it. Pure. */

import { span } from "../../span.js";
import { type Html, html } from "./html.js";

/** The script of the page keeps it right while it is open. */
export function ago(at: string, nowMs: number): Html {
	return html`<time datetime="${at}" title="${at}">${span(nowMs - Date.parse(at))}</time>`;
}

/** The time of day, in UTC as the log has it. */
export const clock = (at: string): string => at.slice(11, 19);
