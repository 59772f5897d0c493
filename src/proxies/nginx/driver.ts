/**
 * The driver of Nginx by file and reload: renders, checks with Nginx itself, swaps, reloads by the command or SIGHUP, and
 * verifies that new workers serve.
 */

import type { ProxyConfig } from "../../config/schema.js";
import { outputFiles, readOutput } from "../atomic-write.js";
import { checker } from "../check.js";
import { templateContext } from "../context.js";
import type { Driver } from "../driver.js";
import type { Template } from "../render.js";
import { runTransaction } from "../transaction.js";
import { type Master, readMaster } from "./master.js";
import { type NginxActual, type NginxStep, planNginx } from "./plan.js";
import { reloadNginx, verifyNginx } from "./reload.js";
import { parseUpstreams, upstreamServers } from "./upstreams.js";

export interface NginxOptions {
	readonly proxy: ProxyConfig;
	/** Name of this host, for templates. */
	readonly host: string;
	readonly template: Template;
}

/** A driver; it holds nothing between calls. */
export function createNginxDriver({ proxy, host, template }: NginxOptions): Driver<NginxActual, NginxStep> {
	const check = checker(proxy);
	return {
		async read() {
			const [file, master] = await Promise.all([outputFiles(proxy.output).then(readOutput), readMaster(proxy.pidFile)]);
			return { file, master };
		},
		serversOf: ({ file }) => serversIn(file.text ?? ""),
		serversIn,
		plan: (actual, desired) => planNginx(actual, template.render(templateContext(proxy, host, desired))),
		describe: (step) => describe(proxy, step),
		run(steps, signal) {
			let before: Master = { state: "unknown" };
			const reload = async (output: string, abort: AbortSignal) => {
				before = await reloadNginx(proxy, output, abort);
			};
			return runTransaction(
				{
					output: proxy.output,
					text: steps.find((step) => step.kind === "write")?.text,
					check,
					...(steps.some(({ kind }) => kind === "reload")
						? { reload, verify: (abort: AbortSignal) => verifyNginx(proxy, before, abort) }
						: // It may be about to start, and have read the old file by now: it is reloaded once it is there.
							{ unconfirmed: true }),
				},
				signal,
			);
		},
		async close() {},
	};
}

const serversIn = (text: string) => upstreamServers(parseUpstreams(text));

function describe({ output, reload, pidFile }: ProxyConfig, step: NginxStep): string {
	switch (step.kind) {
		case "write":
			return `write ${output} (${Buffer.byteLength(step.text)} bytes)`;
		case "reload": {
			const how = reload?.join(" ") ?? `SIGHUP to the process in ${pidFile}`;
			return `reload by ${how}${pidFile === undefined ? "" : ", then verify that new workers serve"}`;
		}
		default:
			return step satisfies never;
	}
}
