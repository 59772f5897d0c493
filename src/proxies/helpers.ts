/**
 * The helpers of templates, beside Handlebars' own `if`, `unless`, `each`, `with` and `lookup`. Pure. Each is described
 * in docs/templates.md with examples that are run by a test.
 */

import { hostPort } from "../ip.js";

/** Gets its parameters and its `name=value` pairs; what it throws is reported with the place in the template. */
export type Helper = (params: readonly unknown[], pairs: Readonly<Record<string, unknown>>) => unknown;

export const HELPERS: Readonly<Record<string, Helper>> = {
	/** `10.0.0.1:80`, `[fd00::1]:80` */
	hostport: ([address, port]) => {
		const host = text("hostport", "an address", address);
		if (typeof port !== "number") throw new Error("hostport needs an address and a port (write hostport address port)");
		return hostPort(host, port);
	},
	join: ([values, separator]) => {
		if (!Array.isArray(values)) throw new Error('join needs a list and a separator (write join hosts " ")');
		return values.join(text("join", "a separator", separator));
	},
	json: (params) => {
		if (params.length !== 1) throw new Error("json needs one value");
		return JSON.stringify(params[0]) ?? "null";
	},
	default: ([value, fallback]) => (isEmpty(value) ? fallback : value),
	eq: ([a, b]) => a === b,
	after: ([whole, prefix]) => {
		const start = text("after", "a prefix", prefix);
		const full = text("after", "a text", whole);
		return full.startsWith(start) ? full.slice(start.length) : "";
	},
	list: ([value]) => (Array.isArray(value) ? value : isEmpty(value) ? [] : [value]),
	/** Those that may get new connections, and those that would if they were no backups. */
	serving: (params) => able("serving", params, false),
	standby: (params) => able("standby", params, true),
	having: ([items, option]) => {
		if (!Array.isArray(items)) throw new Error('having needs a list and an option (write having services "bind")');
		const name = text("having", "an option", option);
		return items.filter((item: unknown) => !isEmpty(ownOption(ownValue("having", item, "options"), name)));
	},
	/** A text as a regular expression that matches just this, in PCRE, RE2 and JavaScript. */
	regex: ([value]) => text("regex", "a value", value).replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"),
	where: ([items, ...rest], pairs) => {
		if (!Array.isArray(items) || rest.length > 0)
			throw new Error('where needs a list (write where services mode="http")');
		return items.filter((item: unknown) =>
			Object.entries(pairs).every(([name, wanted]) => {
				const value = ownValue("where", item, name);
				return value === wanted || (wanted === "" && isEmpty(value));
			}),
		);
	},
};

/** Those of a list of backends that are ready for new connections, be it as a backup or not. */
function able(helper: string, [backends]: readonly unknown[], isBackup: boolean): unknown {
	if (!Array.isArray(backends))
		throw new Error(`${helper} needs a list of backends (write ${helper} service.backends)`);
	return backends.filter((backend: unknown) => {
		const state = ownValue(helper, backend, "state");
		const isReady = (state === "ready" || state === "closing") && ownValue(helper, backend, "weight") !== 0;
		return isReady && ownValue(helper, backend, "backup") === isBackup;
	});
}

/** A field of one item; never one of its prototype. */
function ownValue(helper: string, item: unknown, name: string): unknown {
	if (typeof item !== "object" || item === null || !Object.hasOwn(item, name)) {
		throw new Error(`${helper}: the items have no "${name}"`);
	}
	return Reflect.get(item, name);
}

/** An option; undefined where it is not set. */
function ownOption(options: unknown, name: string): unknown {
	if (typeof options !== "object" || options === null || !Object.hasOwn(options, name)) return undefined;
	return Reflect.get(options, name);
}

/** What counts as not given. */
function isEmpty(value: unknown): boolean {
	return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

function text(helper: string, what: string, value: unknown): string {
	if (typeof value === "string") return value;
	throw new Error(`${helper} needs ${what}, which is a text (got ${JSON.stringify(value)})`);
}
