/**
 * The driver of Nginx by file and reload: renders, checks with Nginx itself, swaps, reloads by the command or SIGHUP, and
 * verifies that new workers serve.
 */

import type { ProxyConfig } from "../../config/schema.js";
import { outputFiles, readOutput } from "../atomic-write.js";
import { templateContext } from "../context.js";
import type { Driver } from "../driver.js";
import type { Template } from "../render.js";
import { runTransaction, type Transact } from "../transaction.js";
import { readMaster } from "./master.js";
import { type NginxActual, type NginxStep, planNginx } from "./plan.js";
import { nginxTransaction } from "./transaction.js";
import { parseUpstreams, upstreamServers } from "./upstreams.js";

export interface NginxOptions {
	readonly proxy: ProxyConfig;
	/** Name of this host, for templates. */
	readonly host: string;
	readonly template: Template;
	/** Who carries transactions out; default: this process. */
	readonly transact?: Transact | undefined;
}

/** A driver; it holds nothing between calls. */
export function createNginxDriver(options: NginxOptions): Driver<NginxActual, NginxStep> {
	const { proxy, host, template, transact = runTransaction } = options;
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
			const text = steps.find((step) => step.kind === "write")?.text;
			const isReload = steps.some(({ kind }) => kind === "reload");
			return transact(nginxTransaction(proxy, text, isReload), signal);
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
