/**
 * Root's side of `apply: unit`: takes the daemon's request, refuses what may not be in such a file, and does the rest as
 * the daemon itself would: check, swap, reload, verify, and the previous file back where that fails. Trusts the
 * configuration, which is root's, and nothing else.
 */

import type { Config, ProxyConfig } from "../../config/schema.js";
import { SolistendError } from "../../errors.js";
import { forbiddenIn, trustedTexts } from "../allowed.js";
import { outputFiles, readOutput } from "../atomic-write.js";
import { type Outcome, UNTOUCHED } from "../driver.js";
import { parseDeclared } from "../haproxy/declared.js";
import { readLive } from "../haproxy/live.js";
import { haproxyTransaction } from "../haproxy/transaction.js";
import { nginxTransaction } from "../nginx/transaction.js";
import { lockOutput } from "../output-lock.js";
import { runTransaction, type Transaction } from "../transaction.js";
import { type ApplyRequest, leaveResult, RESULTS, resultOf, takeRequest } from "./request.js";
import { requireRootOnly } from "./root-only.js";

export interface CarryOutOptions {
	/** The configuration file, and what it says. */
	readonly file: string;
	readonly config: Config;
	/** The proxy's name. */
	readonly name: string;
	/** Where the result is left; default: where the daemon looks. */
	readonly results?: string;
	readonly signal: AbortSignal;
}

/** What a proxy needs so that its file can be put in place here. */
type Applicable = ProxyConfig & { readonly type: "haproxy" | "nginx" };

/**
 * Carries out the request of a proxy, and leaves its result.
 * @throws SolistendError when there is no request, or nobody may have one.
 */
export async function carryOut(options: CarryOutOptions): Promise<Outcome> {
	const { config, name, results = RESULTS } = options;
	const { request, gid } = await takeRequest(config.state, name);
	let outcome: Outcome;
	try {
		outcome = await carriedOut(options, request);
	} catch (error) {
		if (!(error instanceof SolistendError)) throw error;
		outcome = { kind: "failed", stage: "stage", error, serving: UNTOUCHED, stagesMs: {} };
	}
	await leaveResult(results, name, resultOf(request.id, outcome), gid);
	return outcome;
}

async function carriedOut({ file, config, name, signal }: CarryOutOptions, request: ApplyRequest): Promise<Outcome> {
	const proxy = applicable(config, name);
	await requireRootOnly(file, "the configuration");
	await requireRootOnly(proxy.output, "the output");
	const lock = await lockOutput(proxy.output);
	try {
		const { text } = request;
		const found = text === undefined ? undefined : forbiddenIn(proxy.type, text, trustedBy(config, proxy));
		if (found !== undefined) {
			const error = new SolistendError("proxy", `refused the new file: line ${found.line}: ${found.why}`);
			return { kind: "failed", stage: "check", error, serving: UNTOUCHED, stagesMs: {} };
		}
		return await runTransaction(await transactionOf(proxy, request, signal), signal);
	} finally {
		await lock.close();
	}
}

function applicable({ proxies }: Config, name: string): Applicable {
	const proxy = proxies.find((one) => one.name === name);
	if (proxy === undefined) throw new SolistendError("config", `the configuration has no proxy ${name}`);
	const { type, mode, apply } = proxy;
	if (type === "file" || mode !== "apply" || apply !== "unit") {
		throw new SolistendError(
			"config",
			`proxy ${name} is not one with apply: unit, mode: apply and type haproxy or nginx`,
		);
	}
	return { ...proxy, type };
}

const trustedBy = ({ services }: Config, { options, allowDirectives }: ProxyConfig) => ({
	directives: new Set(allowDirectives),
	texts: trustedTexts([options, ...Object.values(services).map((service) => service.options)]),
});

async function transactionOf(proxy: Applicable, request: ApplyRequest, signal: AbortSignal): Promise<Transaction> {
	const { text, reload, unconfirmed } = request;
	switch (proxy.type) {
		case "haproxy": {
			if (!reload) return { ...haproxyTransaction(proxy, text), unconfirmed };
			const live = await readLive(proxy, signal);
			const all = text ?? (await outputFiles(proxy.output).then(readOutput)).text ?? "";
			const declared = parseDeclared(all).backends;
			const oldWorker = live.state === "known" ? { oldWorker: live.worker } : {};
			return haproxyTransaction(proxy, text, { declared, ...oldWorker });
		}
		case "nginx":
			return nginxTransaction(proxy, text, reload);
		default:
			return proxy.type satisfies never;
	}
}
