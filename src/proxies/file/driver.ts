/**
 * The driver of any program that reads a file: renders, checks, swaps, and runs a command if there is one. What the
 * program makes of the file is not known, and neither is whether it runs.
 */

import type { ProxyConfig } from "../../config/schema.js";
import { outputFiles, readOutput } from "../atomic-write.js";
import { checker } from "../check.js";
import { runCommand } from "../command.js";
import { templateContext } from "../context.js";
import type { Driver, Plan } from "../driver.js";
import type { Template } from "../render.js";
import { runTransaction } from "../transaction.js";

export interface FileOptions {
	readonly proxy: ProxyConfig;
	/** Name of this host, for templates. */
	readonly host: string;
	readonly template: Template;
}

export interface FileActual {
	/** Undefined when there is none. */
	readonly text?: string;
	/** False when the daemon died, or failed, between the swap and the command. */
	readonly confirmed: boolean;
}

export type FileStep =
	/** Stage, check, swap. */
	| { readonly kind: "write"; readonly text: string }
	/** Run the reload command. */
	| { readonly kind: "reload" };

/** A driver; it holds nothing between calls. */
export function createFileDriver({ proxy, host, template }: FileOptions): Driver<FileActual, FileStep> {
	const { output: path, reload: command, timeout: timeoutMs } = proxy;
	const check = checker(proxy);
	const reload =
		command &&
		((output: string, signal: AbortSignal) => runCommand({ what: "reload", command, output, timeoutMs, signal }));
	return {
		read: () => outputFiles(path).then(readOutput),
		serversOf: () => [],
		serversIn: () => [],
		plan: (actual, desired) =>
			planFile(actual, template.render(templateContext(proxy, host, desired)), command !== undefined),
		describe(step) {
			if (step.kind === "reload") return `reload by ${command?.join(" ")}`;
			return `write ${path} (${Buffer.byteLength(step.text)} bytes)`;
		},
		run: (steps, signal) =>
			runTransaction(
				{
					output: path,
					text: steps.find((step) => step.kind === "write")?.text,
					check,
					reload: steps.some(({ kind }) => kind === "reload") ? reload : undefined,
				},
				signal,
			),
		async close() {},
	};
}

/** The plan for a rendered text. Pure. Whose servers these are is not known: the difference has no names. */
export function planFile(actual: FileActual, text: string, hasCommand: boolean): Plan<FileStep> {
	const isSame = actual.text === text;
	const reload = hasCommand && !(isSame && actual.confirmed);
	const steps: FileStep[] = [
		...(isSame ? [] : [{ kind: "write", text } as const]),
		...(reload ? [{ kind: "reload" } as const] : []),
	];
	return { steps, reload, diff: { joined: [], left: [] } };
}
