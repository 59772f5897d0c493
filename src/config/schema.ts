/**
 * The configuration: one zod schema from which the types, the JSON Schema for editors and the reference in the docs
 * are made. Knows nothing of files.
 */

import { hostname } from "node:os";
import { z } from "zod";
import { parseDuration } from "../duration.js";

/** Written as `250ms`, `2s`, `5m`; milliseconds once parsed. */
const duration = (fallback: string) =>
	z
		.string()
		.default(fallback)
		.transform((text, context) => {
			const ms = parseDuration(text);
			if (ms !== undefined) return ms;
			context.addIssue({ code: "custom", message: `"${text}" is not a duration (write 250ms, 2s, 5m or 1h)` });
			return z.NEVER;
		});

/** A name that can stand in a proxy's configuration unquoted. */
const name = (what: string) =>
	z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$/, `${what} may hold letters, digits, _ . : - (at most 63)`);

/** One value or a list of them; always a list once parsed. */
const oneOrMany = <T extends z.ZodType>(item: T) =>
	z.union([item.transform((one) => [one]), z.array(item).min(1, "an empty list matches nothing (leave the key out)")]);

const portNumber = z.int().min(1).max(65_535);

const port = z.union([
	portNumber.transform((only) => ({ from: only, to: only })),
	z
		.string()
		.regex(/^\d{1,5}-\d{1,5}$/, "a port is a number from 1 to 65535, or a range such as 8000-8099")
		.transform((text, context) => {
			const [from = 0, to = 0] = text.split("-").map(Number);
			if (from >= 1 && from <= to && to <= 65_535) return { from, to };
			context.addIssue({ code: "custom", message: `"${text}" is not a range of ports (1 to 65535, lower one first)` });
			return z.NEVER;
		}),
]);

const glob = z.string().min(1);

const match = z
	.strictObject({
		port: oneOrMany(port).optional().describe("port or range of ports"),
		hostname: oneOrMany(glob).optional().describe("UTS hostname of the process that listens (glob)"),
		comm: oneOrMany(glob).optional().describe("its command name, at most 15 characters (glob)"),
		unit: oneOrMany(glob).optional().describe("its systemd unit (glob)"),
		cgroup: oneOrMany(glob).optional().describe("path of its cgroup (glob)"),
		netns: oneOrMany(z.union([glob, z.int().positive()]))
			.optional()
			.describe("name under /run/netns (glob), inode number, or `host`"),
	})
	.refine((keys) => Object.keys(keys).length > 0, "a match needs at least one key (port, hostname, comm, …)");

/** Free values that templates may read: scalars and lists of them. */
const options = z
	.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))]))
	.default({});

const service = z.strictObject({
	match: match.describe("which listeners belong to the service: all keys must hold, a list means any of"),
	mode: z.enum(["http", "tcp"]).default("http"),
	balance: z
		.string()
		.regex(/^[a-z0-9_()-]+$/i, "balance is one word, such as roundrobin or leastconn")
		.default("roundrobin")
		.describe("HAProxy's balance algorithm"),
	hosts: z
		.array(z.string().regex(/^[A-Za-z0-9*._:-]+$/, "a host is a DNS name, with no scheme or path"))
		.default([])
		.describe("routed by Host, where the template has a frontend"),
	weight: z.int().min(0).max(256).default(100),
	lastGrace: duration("3s").describe("how long the last backend stays in after it closed"),
	options: options.describe("free for templates"),
});

const command = z.array(z.string().min(1)).min(1, "a command needs a program (write [program, argument, …])");

const absolutePath = z.string().regex(/^\//, "a path must be absolute");

const proxy = z.strictObject({
	name: name("a proxy's name"),
	type: z.enum(["haproxy"]),
	mode: z.enum(["apply", "observe"]).default("apply").describe("observe plans and logs, and changes nothing"),
	template: z
		.string()
		.min(1)
		.default("haproxy-backends.cfg.hbs")
		.describe("file in the templates folder or among the packaged ones, or an absolute path"),
	output: absolutePath.describe("the file to write; its folder must exist and be writable"),
	check: command.optional().describe("run before the swap; {{output}} is the staged file"),
	reload: command.optional().describe("run after the swap; without it masterSocket is used"),
	runtimeSocket: absolutePath.optional().describe("HAProxy's stats socket, to verify what is live"),
	masterSocket: absolutePath.optional().describe("HAProxy's master CLI (haproxy -W -S PATH), to reload"),
	reloadInterval: duration("2s").describe("at most one reload in this time; a removal may use a small burst"),
	timeout: duration("10s").describe("bound on each check, reload and verification"),
	services: z.array(z.string()).min(1).optional().describe("the services it serves; default: all"),
	options: options.describe("free for templates"),
});

/** The whole configuration file. */
export const configSchema = z.strictObject({
	host: name("a host's name").default(() => hostname().replace(/[^A-Za-z0-9_.:-]/g, "_")),
	addresses: z
		.array(z.union([z.cidrv4(), z.cidrv6()]))
		.default([])
		.describe("which of a namespace's addresses to use, in order of preference; none: IPv4 before IPv6"),
	templates: absolutePath.optional().describe("folder of your own templates; default: templates/ beside this file"),
	services: z.record(name("a service's name"), service).default({}),
	settle: z
		.strictObject({ quiet: duration("100ms"), max: duration("2s") })
		.prefault({})
		.describe("changes after the first are gathered until quiet has passed, or max is reached"),
	resync: duration("60s").describe("how often the kernel's own table is read and compared"),
	proxies: z.array(proxy).default([]),
	log: z.strictObject({ level: z.enum(["trace", "debug", "info", "warn", "error"]).default("info") }).prefault({}),
});

export type Config = z.output<typeof configSchema>;
export type ServiceConfig = z.output<typeof service>;
export type MatchConfig = z.output<typeof match>;
export type ProxyConfig = z.output<typeof proxy>;
export type Options = ServiceConfig["options"];
