/**
 * The values that labels hold, from text: each kind with what it must be, in words. Pure; knows no label by name. Limits
 * and defaults are those of the configuration file.
 */

import { DNS_NAME, LONGEST_MS, REQUEST_PATH } from "../../config/rules.js";
import { type ReadyConfig, readySchema } from "../../config/schema.js";
import { printable } from "../../config/wording.js";
import { parseDuration } from "../../duration.js";
import { isServiceName } from "./service-name.js";

/** A kind of value. */
export interface Kind<T> {
	/** What the text must be, as it follows `must be`. */
	readonly what: string;
	/** The value of a text without space around it; undefined when it is none. */
	parse(text: string): T | undefined;
}

/** The problem with a label's value. A container chose both: they are shown escaped, and cut. */
export function mustBe(label: string, what: string, text: string): string {
	return `${printable(label)}: must be ${what}, not "${printable(text)}"`;
}

/** More names in one label are no list that a person wrote. */
export const MAX_HOSTS = 32;
const MAX_SERVICES = 256;

/** DNS's own bound. */
const MAX_HOST_LENGTH = 253;

const MAX_PATH_LENGTH = 1024;

/** Items separated by commas or spaces, each once. */
const listed = (text: string) => [...new Set(text.split(/[\s,]+/).filter((item) => item !== ""))];

export const SERVICES: Kind<readonly string[]> = {
	what: "a service's name, or several with commas between (letters, digits and _ . : -, 63 at most)",
	parse(text) {
		const names = listed(text);
		return isFilled(names, MAX_SERVICES) && names.every(isServiceName) ? names : undefined;
	},
};

export const PORT: Kind<number> = {
	what: "a TCP port from 1 to 65535",
	parse: (text) => wholeNumber(text, 1, 65_535),
};

export const WEIGHT: Kind<number> = {
	what: "a whole number from 0 to 256",
	parse: (text) => wholeNumber(text, 0, 256),
};

export const MODE: Kind<"http" | "tcp"> = {
	what: "http or tcp",
	parse: (text) => (text === "http" || text === "tcp" ? text : undefined),
};

/** Whether a text is a DNS name that can be routed by, such as `www.example.org` or `*.example.org`. */
export const isHost = (text: string) => text.length <= MAX_HOST_LENGTH && DNS_NAME.test(text);

export const HOSTS: Kind<readonly string[]> = {
	what: `DNS names such as www.example.org or *.example.org with commas between, ${MAX_HOSTS} at most`,
	parse(text) {
		const hosts = listed(text.toLowerCase());
		return isFilled(hosts, MAX_HOSTS) && hosts.every(isHost) ? hosts : undefined;
	},
};

export const DRAIN_TIMEOUT: Kind<number> = {
	what: "a duration with its unit (250ms, 2s, 5m or 1h), 24h at most",
	parse(text) {
		const ms = parseDuration(text);
		return ms !== undefined && ms <= LONGEST_MS ? ms : undefined;
	},
};

export const YES_OR_NO: Kind<boolean> = {
	what: "true or false",
	parse(text) {
		const word = text.toLowerCase();
		if (["true", "1", "yes"].includes(word)) return true;
		return ["false", "0", "no"].includes(word) ? false : undefined;
	},
};

export const READY: Kind<ReadyConfig> = {
	what: "a path such as /healthz, or tcp, followed where wanted by timeout=10s, interval=50ms, status=200-204",
	parse(text) {
		const [asked = "", ...options] = text.split(/\s+/);
		const isPath = asked.length <= MAX_PATH_LENGTH && REQUEST_PATH.test(asked);
		if (!isPath && asked !== "tcp") return undefined;
		const given = new Map<string, string>();
		for (const option of options) {
			const [, key = "", value = ""] = /^(timeout|interval|status)=(.+)$/.exec(option) ?? [];
			if (key === "" || given.has(key)) return undefined;
			given.set(key, value);
		}
		const { data } = readySchema.safeParse({
			...(isPath ? { http: asked } : { tcp: true }),
			...Object.fromEntries(given),
		});
		return data;
	},
};

function isFilled(items: readonly string[], most: number): boolean {
	return items.length > 0 && items.length <= most;
}

function wholeNumber(text: string, least: number, most: number): number | undefined {
	if (!/^\d{1,5}$/.test(text)) return undefined;
	const value = Number(text);
	return value >= least && value <= most ? value : undefined;
}
