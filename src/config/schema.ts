/**
 * The configuration: one zod schema from which the types, the JSON Schema for editors and the reference in the docs
 * are made. Knows nothing of files.
 *
 * A description says what a key means; a title names the kind of its value in the reference; an error says what the
 * value must be. Words for everything else are in wording.ts.
 */

import { hostname } from "node:os";
import { z } from "zod";
import { parseDuration } from "../duration.js";
import { mustBe } from "./wording.js";

/** Node's timers count in 31 bits of milliseconds and fire at once beyond them: stay far below. */
const LONGEST_MS = 24 * 3_600_000;

/** Written as `250ms`, `2s`, `5m`; milliseconds once parsed. Not shorter than `least`, where 0 would be a busy loop. */
const duration = (fallback: string, least = "0s") =>
	z
		.string({ error: mustBe("a duration with its unit (250ms, 2s, 5m or 1h)") })
		.regex(/^\d+(\.\d+)?(ms|s|m|h)$/, { error: mustBe("a duration with its unit (250ms, 2s, 5m or 1h)") })
		.meta({ title: "duration" })
		.default(fallback)
		.transform((text, context) => {
			const ms = parseDuration(text);
			if (ms !== undefined && ms >= (parseDuration(least) ?? 0) && ms <= LONGEST_MS) return ms;
			context.addIssue({ code: "custom", message: `must be a duration from ${least} to 24h, not ${text}` });
			return z.NEVER;
		});

/** A name that can stand in a proxy's configuration unquoted. */
const name = (what: string) =>
	z
		.string()
		.regex(/^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$/, {
			error: mustBe(`${what} of letters, digits and _ . : - (63 at most, the first a letter, digit or _)`),
		})
		.meta({ title: "name" });

/** One value or a list of them; always a list once parsed. */
const oneOrMany = <T extends z.ZodType>(item: T, what: string) =>
	z.union([item.transform((one) => [one]), z.array(item).min(1, "an empty list matches nothing (leave the key out)")], {
		error: mustBe(what),
	});

const portNumber = z.int().min(1).max(65_535);

const A_PORT = "a port from 1 to 65535, or a range such as 8000-8099";

const port = z
	.union(
		[
			portNumber.transform((only) => ({ from: only, to: only })),
			z
				.string()
				.regex(/^\d{1,5}(-\d{1,5})?$/, { error: mustBe(A_PORT) })
				.transform((text, context) => {
					const [from = 0, to = from] = text.split("-").map(Number);
					if (from >= 1 && from <= to && to <= 65_535) return { from, to };
					context.addIssue({
						code: "custom",
						message: `must be ${A_PORT} with the lower one first, not ${text}`,
					});
					return z.NEVER;
				}),
		],
		{ error: mustBe(A_PORT) },
	)
	.meta({ title: "port or range" });

const glob = z.string().min(1).meta({ title: "glob" });

const globs = oneOrMany(glob, "a glob (text, where * stands for anything), or a list of them");

const inode = z.int().min(1).max(4_294_967_295);

const match = z
	.strictObject({
		port: oneOrMany(port, `${A_PORT}, or a list of them`).optional().describe("port or range of ports it listens on"),
		hostname: globs.optional().describe("UTS hostname of the process that listens"),
		comm: globs.optional().describe("its command name, at most 15 characters"),
		unit: globs.optional().describe("its systemd unit"),
		cgroup: globs.optional().describe("path of its cgroup"),
		netns: oneOrMany(
			z.union([glob, inode]).meta({ title: "glob or number" }),
			"a name, an inode number, host, or a list of them",
		)
			.optional()
			.describe("its network namespace: name under /run/netns, inode number, or `host`"),
	})
	.refine(
		(keys) => Object.keys(keys).length > 0,
		"needs at least one key (port, hostname, comm, unit, cgroup or netns)",
	);

/** Free values that templates may read: scalars and lists of them. */
const options = z
	.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))]))
	.default({});

const service = z.strictObject({
	match: match.describe("which listeners belong to the service: all keys must hold, a list means any of"),
	mode: z.enum(["http", "tcp"]).default("http").describe("what the proxy takes the traffic for"),
	balance: z
		.string()
		.regex(/^[a-z0-9_()-]+$/i, { error: mustBe("one word, such as roundrobin, leastconn or hdr(name)") })
		.default("roundrobin")
		.describe("HAProxy's balance algorithm"),
	hosts: z
		.array(
			z
				.string()
				.regex(/^(\*[.-])?[A-Za-z0-9_][A-Za-z0-9._-]*$/, {
					error: mustBe("a DNS name such as www.example.org or *.example.org, with no scheme, port or path"),
				})
				.meta({ title: "DNS name" }),
		)
		.default([])
		.describe("routed by Host, where the template has a frontend"),
	weight: z.int().min(0).max(256).default(100).describe("weight of each of its backends; 0 takes no new traffic"),
	lastGrace: duration("3s").describe("how long the last backend stays in after it closed"),
	options: options.describe("free for templates: text, numbers, true, false, and lists"),
});

const command = z
	.array(z.string().min(1).meta({ title: "text" }), {
		error: mustBe("a list of a program and its arguments, such as [systemctl, reload, haproxy]"),
	})
	.min(1, "must name a program (write [program, argument, …])")
	.meta({ title: "command" });

const absolutePath = z
	.string()
	.regex(/^\//, { error: mustBe("an absolute path") })
	.meta({ title: "absolute path" });

const proxy = z.strictObject({
	name: name("a proxy's name").describe("how commands, logs and metrics call it"),
	type: z.enum(["haproxy"]).describe("which program it is"),
	mode: z.enum(["apply", "observe"]).default("apply").describe("observe plans and logs, and changes nothing"),
	template: z
		.string()
		.min(1)
		.meta({ title: "file name" })
		.default("haproxy-backends.cfg.hbs")
		.describe("file in the templates folder or among the packaged ones, or an absolute path"),
	output: absolutePath.describe("the file to write; its folder must exist and be writable"),
	check: command.optional().describe("run before the swap; `{{output}}` is the staged file"),
	reload: command.optional().describe("run after the swap; without it masterSocket is used"),
	runtimeSocket: absolutePath.optional().describe("HAProxy's stats socket, to verify what is live"),
	masterSocket: absolutePath.optional().describe("HAProxy's master CLI (`haproxy -W -S PATH`), to reload"),
	reloadInterval: duration("2s").describe("at most one reload in this time; a removal may use a small burst"),
	timeout: duration("10s", "100ms").describe("bound on each check, reload and verification"),
	services: z
		.array(z.string().meta({ title: "name" }))
		.min(1, "an empty list serves nothing (leave the key out for all services)")
		.optional()
		.describe("the services it serves; default: all"),
	options: options.describe("free for templates: text, numbers, true, false, and lists"),
});

const network = { error: mustBe("a network, such as 10.0.0.0/8 or fd00::/8") };

/** The whole configuration file. */
export const configSchema = z.strictObject({
	host: name("a host's name")
		.optional()
		.transform((given) => given ?? hostname().replace(/[^A-Za-z0-9_.:-]/g, "_"))
		.describe("name of this host; default: its hostname"),
	addresses: z
		.array(z.union([z.cidrv4(network), z.cidrv6(network)], network).meta({ title: "network" }))
		.default([])
		.describe("which of a namespace's addresses to use, in order of preference; none: IPv4 before IPv6"),
	templates: absolutePath.optional().describe("folder of your own templates; default: templates/ beside this file"),
	services: z.record(name("a service's name"), service).default({}).describe("what is kept in the proxies, by name"),
	settle: z
		.strictObject({
			quiet: duration("100ms").describe("goes through once nothing more has changed for so long"),
			max: duration("2s").describe("goes through after so long at the latest"),
		})
		.prefault({})
		.describe("changes after the first are gathered until quiet has passed, or max is reached"),
	resync: duration("60s", "1s").describe("how often the kernel's own table is read and compared"),
	proxies: z.array(proxy).default([]).describe("the proxies that follow"),
	log: z
		.strictObject({
			level: z.enum(["trace", "debug", "info", "warn", "error"]).default("info").describe("the least that is written"),
		})
		.prefault({})
		.describe("what the daemon logs"),
});

export type Config = z.output<typeof configSchema>;
export type ServiceConfig = z.output<typeof service>;
export type MatchConfig = z.output<typeof match>;
export type ProxyConfig = z.output<typeof proxy>;
export type Options = ServiceConfig["options"];
