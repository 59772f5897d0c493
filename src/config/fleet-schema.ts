/** The part of the configuration that says how hosts share their view: the registry, and what is told and taken there. */

import { z } from "zod";
import { absolutePath, anyDuration, duration, name, network, percentage } from "./kinds.js";
import { mustBe } from "./wording.js";

const A_SERVER = "a server as host:port, such as 10.0.0.1:26379";

const server = z
	.string()
	.regex(/^(\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/i, { error: mustBe(A_SERVER) })
	.meta({ title: "host:port" });

const URL_FORM = "a URL: redis://host:port, rediss://host:port (TLS) or unix:///path";

/** No password in it: files of configuration are read by many. */
const url = z
	.string()
	.regex(/^(rediss?:\/\/(\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(\/\d{1,3})?|unix:\/\/\/\S+)$/i, {
		error: mustBe(`${URL_FORM}, with no user or password (see username and passwordFile)`),
	})
	.meta({ title: "URL" });

const tls = z.union(
	[
		z.boolean(),
		z.strictObject({
			ca: absolutePath.optional().describe("PEM file of the authority; default: those of the system"),
			cert: absolutePath.optional().describe("PEM file of this host's certificate"),
			key: absolutePath.optional().describe("PEM file of its key"),
			serverName: z.string().min(1).optional().describe("name that the server's certificate must have"),
		}),
	],
	{ error: mustBe("true, false, or a map of ca, cert, key and serverName") },
);

const A_REDIS = `${URL_FORM}, or a map with url, sentinels or cluster`;

const redis = z
	.union(
		[
			url.transform((only) => ({ url: only, sentinels: undefined, cluster: undefined })),
			z
				.strictObject({
					url: url.optional().describe("one server: `redis://host:port`, `rediss://host:port` or `unix:///path`"),
					sentinels: z.array(server).min(1).optional().describe("Sentinels that know where the primary is"),
					master: z.string().min(1).default("mymaster").describe("name of the primary, with sentinels"),
					cluster: z.array(server).min(1).optional().describe("some nodes of a Redis Cluster"),
					username: z.string().min(1).optional().describe("ACL user; default: `default`"),
					passwordFile: absolutePath.optional().describe("file whose first line is the password"),
					tls: tls.default(false).describe("speak TLS; with a map, by these files"),
					sentinelUsername: z.string().min(1).optional().describe("ACL user at the Sentinels; default: `default`"),
					sentinelPasswordFile: absolutePath
						.optional()
						.describe("file whose first line is the Sentinels' own password"),
					sentinelTls: tls.optional().describe("speak TLS with the Sentinels; absent: as tls says"),
				})
				.refine(
					(keys) => [keys.url, keys.sentinels, keys.cluster].filter((one) => one !== undefined).length === 1,
					"needs url, sentinels or cluster, one of them",
				),
		],
		{ error: mustBe(A_REDIS) },
	)
	.meta({ title: "URL or map" });

export const fleetSchema = z.strictObject({
	redis: redis.describe("where the registry is"),
	cluster: name("a cluster's name").default("default").describe("hosts see those of the same name only"),
	publish: z.boolean().default(true).describe("tell other hosts of the backends on this one"),
	subscribe: z.boolean().default(true).describe("take in the backends of other hosts"),
	advertise: z
		.array(network)
		.default([])
		.describe(
			"networks whose addresses other hosts reach, in order of preference; none: published ports, at the address by which this host reaches Redis",
		),
	lease: duration("10s", "1s").describe("a host that is not heard of for so long is gone"),
	maxStale: anyDuration("1s").describe(
		"backends of other hosts go when the registry was gone for so long; absent: they stay",
	),
	zone: name("a zone's name").optional().describe("where this host is"),
	zones: z
		.record(name("a zone's name"), percentage("100%"))
		.default({})
		.describe("how much of its weight a backend in that zone has here; default: all of it"),
	maxPerHost: z
		.int()
		.min(1)
		.optional()
		.describe("backends of one other host in one service at most; absent: as many as it has"),
});
