/**
 * A new file for Nginx: checked by Nginx itself, loaded by the command or SIGHUP, and verified by its workers. Knows nothing
 * of what led to it.
 */

import type { ProxyConfig } from "../../config/schema.js";
import { checker } from "../check.js";
import type { Transaction } from "../transaction.js";
import type { Master } from "./master.js";
import { reloadNginx, verifyNginx } from "./reload.js";

/**
 * The transaction of a proxy.
 * @param text absent when the file is right already
 */
export function nginxTransaction(proxy: ProxyConfig, text: string | undefined, isReload: boolean): Transaction {
	const { output } = proxy;
	const check = checker(proxy);
	// It may be about to start, and have read the old file by now: it is reloaded once it is there.
	if (!isReload) return { output, text, check, unconfirmed: true };
	let before: Master = { state: "unknown" };
	return {
		output,
		text,
		check,
		reload: async (path, signal) => {
			before = await reloadNginx(proxy, path, signal);
		},
		verify: (signal) => verifyNginx(proxy, before, signal),
	};
}
