/** What it takes to make Nginx equal to a rendered file: from the file and the master's state to steps. Pure. */

import type { Plan } from "../driver.js";
import type { Master } from "./master.js";
import { diffUpstreams, parseUpstreams } from "./upstreams.js";

export interface NginxActual {
	readonly file: {
		/** Undefined when there is none. */
		readonly text?: string;
		/** Whether Nginx is known to have read it: false when it was written while Nginx was down, or the daemon died. */
		readonly confirmed: boolean;
	};
	readonly master: Master;
}

export type NginxStep =
	/** Stage, check, swap. */
	| { readonly kind: "write"; readonly text: string }
	/** Reload, and verify that new workers serve. */
	| { readonly kind: "reload" };

/**
 * The plan for a rendered text. Nginx does not say what it has loaded: it is in step when the text is the same and was
 * read, by a reload that was verified or, as far as can be told, by a start.
 */
export function planNginx({ file, master }: NginxActual, text: string): Plan<NginxStep> {
	const isSame = file.text === text;
	const diff = diffUpstreams(parseUpstreams(file.text ?? ""), parseUpstreams(text));
	const write: readonly NginxStep[] = isSame ? [] : [{ kind: "write", text }];
	if (master.state === "down") return { steps: write, reload: false, diff, unreachable: master.why };
	const inStep = isSame && file.confirmed;
	return { steps: inStep ? [] : [...write, { kind: "reload" }], reload: !inStep, diff };
}
