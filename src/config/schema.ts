/**
 * The configuration: one zod schema from which the types, the JSON Schema for editors and the reference in the docs
 * are made. Knows nothing of files.
 *
 * A description says what a key means; a title names the kind of its value in the reference; an error says what the
 * value must be. Words for everything else are in wording.ts.
 */

import { hostname } from "node:os";
import { z } from "zod";
import { fleetSchema } from "./fleet-schema.js";
import { httpAddress } from "./http-address.js";
import { absolutePath, duration, name, network, oneOrMany, percentage } from "./kinds.js";
import { DNS_NAME, REQUEST_PATH } from "./rules.js";
import { mustBe } from "./wording.js";

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
		pod: globs.optional().describe("uid of its Kubernetes pod"),
		machine: globs.optional().describe("name of the nspawn or LXC container that it is in"),
		netns: oneOrMany(
			z.union([glob, inode]).meta({ title: "glob or number" }),
			"a name, an inode number, host, or a list of them",
		)
			.optional()
			.describe("its network namespace: name under /run/netns, inode number, or `host`"),
		container: z
			.strictObject({
				name: globs.optional().describe("the container's name"),
				image: globs.optional().describe("its image, as it was asked for, such as `nginx:*`"),
				label: z
					.record(z.string().min(1), globs)
					.optional()
					.describe("its labels: each of these, with a value that fits"),
			})
			.refine((keys) => Object.keys(keys).length > 0, "needs at least one key (name, image or label)")
			.optional()
			.describe("what the container engine says of it; needs discovery.docker"),
	})
	.refine(
		(keys) => Object.keys(keys).length > 0,
		"needs at least one key (port, hostname, comm, unit, cgroup, pod, machine, netns or container)",
	);

/** Free values that templates may read: scalars and lists of them. */
const options = z
	.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))]))
	.default({});

/** The signals that programs take for a request to stop; SIGKILL and SIGSTOP can't be handled, so they announce nothing. */
export const STOP_SIGNALS = [
	"SIGTERM",
	"SIGINT",
	"SIGQUIT",
	"SIGHUP",
	"SIGUSR1",
	"SIGUSR2",
	"SIGWINCH",
	"SIGPWR",
] as const;

/** Written as `200` or `200-399`. */
const statusRange = z
	.union([z.int(), z.string()], { error: mustBe("an HTTP status such as 200, or a range such as 200-399") })
	.default("200-399")
	.transform((given, context) => {
		const [, low, high = low] = /^(\d{3})(?:-(\d{3}))?$/.exec(String(given)) ?? [];
		const [from, to] = [Number(low), Number(high)];
		if (from >= 100 && from <= to && to <= 599) return { from, to };
		const message = `must be an HTTP status from 100 to 599, or a range such as 200-399, not ${String(given)}`;
		context.addIssue({ code: "custom", message });
		return z.NEVER;
	})
	.meta({ title: "status or range" });

const A_GATE = "a map of http (a path) or tcp: true, with timeout and interval";

/** The gate before joining: asked from the `listen()` on until the first success, then never again. */
export const readySchema = z
	.strictObject(
		{
			http: z
				.string()
				.regex(REQUEST_PATH, { error: mustBe("a path such as /healthz") })
				.meta({ title: "path" })
				.optional()
				.describe("path of a GET request that has to be answered"),
			tcp: z.literal(true).optional().describe("a connection has to be taken"),
			status: statusRange.describe("what counts as an answer, with http"),
			timeout: duration("30s", "100ms").describe("one that is not ready by then stays out until it listens again"),
			interval: duration("100ms", "10ms").describe("pause between two questions"),
		},
		{ error: mustBe(A_GATE) },
	)
	.refine(
		({ http, tcp }) => (http === undefined) !== (tcp === undefined),
		"needs http (a path) or tcp: true, one of them",
	);

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
				.regex(DNS_NAME, {
					error: mustBe("a DNS name such as www.example.org or *.example.org, with no scheme, port or path"),
				})
				.meta({ title: "DNS name" }),
		)
		.default([])
		.describe("routed by Host, where the template has a frontend"),
	weight: z.int().min(0).max(256).default(100).describe("weight of each of its backends; 0 takes no new traffic"),
	prefer: z
		.enum(["any", "local", "zone"])
		.default("any")
		.describe("who gets the traffic while one of them is ready, others being a backup: this host, or this zone"),
	lastGrace: duration("3s").describe("how long the last backend stays in after it closed"),
	drainTimeout: duration("30s").describe("one that was told to stop and still listens after so long is ready again"),
	stopSignals: z
		.array(z.enum(STOP_SIGNALS))
		.optional()
		.describe(
			"signals that tell its processes to stop: it drains; an empty list: none does; default: what the container engine says, else SIGTERM",
		),
	ready: readySchema.optional().describe("what one that listens has to answer before it joins"),
	options: options.describe("free for templates: text, numbers, true, false, and lists"),
});

const command = z
	.array(z.string().min(1).meta({ title: "text" }), {
		error: mustBe("a list of a program and its arguments, such as [systemctl, reload, haproxy]"),
	})
	.min(1, "must name a program (write [program, argument, …])")
	.meta({ title: "command" });

const proxyKeys = z.strictObject({
	name: name("a proxy's name").describe("how commands, logs and metrics call it"),
	type: z.enum(["haproxy", "nginx", "file"]).describe("which program it is; file: any that reads a file"),
	mode: z.enum(["apply", "observe"]).default("apply").describe("observe plans and logs, and changes nothing"),
	netns: z
		.union([glob, inode])
		.meta({ title: "name or number" })
		.default("host")
		.describe("network namespace that it runs in: name under /run/netns, inode number, or `host`"),
	template: z
		.string()
		.min(1)
		.meta({ title: "file name" })
		.optional()
		.describe(
			"file in the templates folder or among the packaged ones, or an absolute path; default: `haproxy-backends.cfg.hbs` or `nginx-upstreams.conf.hbs`",
		),
	output: absolutePath.describe("the file to write; its folder must exist and be writable"),
	apply: z
		.enum(["direct", "unit"])
		.default("direct")
		.describe("direct: the daemon writes, checks and reloads; unit: root does, by `solistend-apply@NAME.service`"),
	allowDirectives: z
		.array(
			z
				.string()
				.regex(/^[a-z][a-z0-9_-]*$/, { error: mustBe("the first word of a directive, such as http-request") })
				.meta({ title: "directive" }),
		)
		.default([])
		.describe("with apply: unit, directives that the file may have besides those of the packaged drop-ins"),
	check: command
		.optional()
		.describe("run before the swap; `{{output}}` is the staged file, without it that is mounted in the output's place"),
	reload: command.optional().describe("run after the swap; without it masterSocket or pidFile is used"),
	runtimeSocket: absolutePath.optional().describe("HAProxy's stats socket, to change servers without a reload"),
	masterSocket: absolutePath.optional().describe("HAProxy's master CLI (`haproxy -W -S PATH`), to reload"),
	pidFile: absolutePath.optional().describe("Nginx's pid file, to reload by SIGHUP and to verify that it did"),
	slots: z
		.strictObject({
			min: z.int().min(1).max(65_536).default(8).describe("servers that each service has at least"),
			growth: z.number().min(1.1).max(10).default(2).describe("factor by which they grow before they are all taken"),
		})
		.prefault({})
		.describe("servers declared ahead in HAProxy's file, so that a backend joins without a reload"),
	fallbackChecks: z
		.boolean()
		.default(false)
		.describe("HAProxy's own checks, off while the daemon lives and on when it has stopped"),
	reloadInterval: duration("2s").describe("at most one reload in this time; a removal may use a small burst"),
	timeout: duration("10s", "100ms").describe("bound on each check, reload and verification"),
	services: z
		.array(z.string().meta({ title: "name" }))
		.min(1, "an empty list serves nothing (leave the key out for all services)")
		.optional()
		.describe("the services it serves; default: all"),
	options: options.describe("free for templates: text, numbers, true, false, and lists"),
});

/** The template where none is named; a file of any other program has none. */
const TEMPLATES = { haproxy: "haproxy-backends.cfg.hbs", nginx: "nginx-upstreams.conf.hbs", file: "" } as const;

const proxy = proxyKeys.transform((keys) => ({ ...keys, template: keys.template ?? TEMPLATES[keys.type] }));

/** The whole configuration file. */
export const configSchema = z.strictObject({
	host: name("a host's name")
		.optional()
		.transform((given) => given ?? hostname().replace(/[^A-Za-z0-9_.:-]/g, "_"))
		.describe("name of this host; default: its hostname"),
	addresses: z
		.array(network)
		.default([])
		.describe("which of a namespace's addresses to use, in order of preference; none: IPv4 before IPv6"),
	templates: absolutePath.optional().describe("folder of your own templates; default: templates/ beside this file"),
	services: z.record(name("a service's name"), service).default({}).describe("what is kept in the proxies, by name"),
	discovery: z
		.strictObject({
			docker: z
				.string()
				.regex(/^unix:\/\/\//, { error: mustBe("unix:// and an absolute path, such as unix:///run/docker.sock") })
				.meta({ title: "unix:// and a path" })
				.optional()
				.describe("socket of Docker's Engine API, or Podman's; absent: no container engine is asked"),
			labels: z.boolean().default(true).describe("containers join and make services by their labels `solisten.*`"),
			allow: z
				.array(
					z
						.strictObject({
							image: globs.optional().describe("its image, as it was asked for"),
							name: globs.optional().describe("the container's name"),
						})
						.refine((keys) => Object.keys(keys).length > 0, "needs at least one key (image or name)"),
				)
				.default([])
				.describe("containers that may join a service of this file, or claim a host that is routed, by label"),
			conventions: z
				.array(z.enum(["virtual-host", "traefik", "registrator"]))
				.default([])
				.describe("labels and environment of other tools that are read, too"),
		})
		.prefault({})
		.describe("how containers are found"),
	settle: z
		.strictObject({
			quiet: duration("100ms").describe("goes through once nothing more has changed for so long"),
			max: duration("2s").describe("goes through after so long at the latest"),
		})
		.prefault({})
		.describe("changes after the first are gathered until quiet has passed, or max is reached"),
	flap: z
		.union(
			[
				z.literal(false),
				z.strictObject({
					max: z.int().min(2).max(1000).default(5).describe("closes within the window after which it is held out"),
					window: duration("30s", "1s").describe("in which they are counted"),
					hold: duration("10s", "1s").describe("how long it is held out the first time; doubled each time after"),
				}),
			],
			{ error: mustBe("false, or a map of max, window and hold") },
		)
		.prefault({})
		.describe("an endpoint that comes and goes is held out for growing pauses; `false`: never"),
	hung: z
		.union(
			[
				z.literal(false),
				z.strictObject({
					after: duration("3s", "100ms").describe("how long its accept queue must be full while nothing is accepted"),
				}),
			],
			{ error: mustBe("false, or a map with after") },
		)
		.prefault({})
		.describe("a listener that accepts nothing is out until it does; `false`: accept queues are not looked at"),
	guard: z
		.strictObject({
			maxDrop: percentage("50%").describe(
				"share of a service that one step takes out for another reason than a close, unless a resync confirms it",
			),
			maxEjected: percentage("30%").describe("share of a service that is out at once though it still listens"),
		})
		.prefault({})
		.describe("bounds on what may leave a service at once"),
	resync: duration("60s", "1s").describe("how often the kernel's own table is read and compared"),
	proxies: z.array(proxy).default([]).describe("the proxies that follow"),
	fleet: fleetSchema
		.optional()
		.describe("other hosts, whose backends are shared through Redis; absent: this host alone"),
	state: absolutePath
		.default("/var/lib/solistend")
		.describe("folder for what must outlive a restart: the operator's word on backends, and the services by label"),
	admin: z
		.strictObject({
			socket: absolutePath
				.default("/run/solistend/admin.sock")
				.describe("unix socket on which the daemon answers commands; its folder must exist"),
			http: httpAddress
				.optional()
				.describe("port, or address:port, of the status page and the metrics, open to who reaches it; absent: off"),
			hosts: z
				.array(
					z
						.string()
						.regex(DNS_NAME, { error: mustBe("a DNS name such as edge-1.example.org, with no scheme, port or path") })
						.refine((given) => !given.startsWith("*"), "must be a whole name: with a *, others could name this host")
						.toLowerCase()
						.meta({ title: "DNS name" }),
				)
				.default([])
				.describe("names under which admin.http may be asked for, besides its addresses and the hostname"),
		})
		.prefault({})
		.describe("how the daemon is asked"),
	log: z
		.strictObject({
			level: z.enum(["trace", "debug", "info", "warn", "error"]).default("info").describe("the least that is written"),
		})
		.prefault({})
		.describe("what the daemon logs"),
});

export type Config = z.output<typeof configSchema>;
export type ServiceConfig = z.output<typeof service>;
/** What is decided for a service, whoever asked for it: by `services:`, or by a container's labels. */
export interface Service extends Omit<ServiceConfig, "match"> {
	/** Its place among those that exist by label, the first one first; absent: the configuration has it, which goes before. */
	readonly order?: number;
}
/** What a service is where nobody says otherwise. */
export const SERVICE_DEFAULTS: Service = service.omit({ match: true }).parse({});
export type MatchConfig = z.output<typeof match>;
export type ProxyConfig = z.output<typeof proxy>;
export type ReadyConfig = z.output<typeof readySchema>;
export type FleetConfig = NonNullable<Config["fleet"]>;
export type DiscoveryConfig = Config["discovery"];
export type Options = ServiceConfig["options"];
