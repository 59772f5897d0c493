/** Names of services that containers choose, as the configuration's rule for names has them. Pure. */

import { NAME } from "../../config/rules.js";

/** The longest name that the rule allows. */
const MAX_LENGTH = 63;

/** Digits of the suffix: enough for 64 bits in base 36. */
const SUFFIX_DIGITS = 13;

/** Whether a service can be called so. `__proto__` can't: no table of services by name would hold it. */
export function isServiceName(text: string): boolean {
	return NAME.test(text) && text !== "__proto__";
}

/**
 * The name of a service that another tool calls `raw`: `raw` itself where the rule allows it, else with what the rule does
 * not allow replaced by `_`, and a suffix made of all of `raw`, so that two names that differ stay different.
 */
export function serviceNameOf(raw: string): string {
	if (isServiceName(raw)) return raw;
	const suffix = hash(raw).toString(36).padStart(SUFFIX_DIGITS, "0");
	const kept = raw.slice(0, MAX_LENGTH - 1 - SUFFIX_DIGITS).replace(/[^A-Za-z0-9_.:-]/g, "_");
	return `${kept.replace(/^[.:-]/, "_")}${kept === "" ? "_" : ""}-${suffix}`;
}

/** FNV-1a of 64 bits, over UTF-16 code units. */
function hash(text: string): bigint {
	let value = 0xcbf29ce484222325n;
	for (let at = 0; at < text.length; at++) {
		value = BigInt.asUintN(64, (value ^ BigInt(text.charCodeAt(at))) * 0x100000001b3n);
	}
	return value;
}
