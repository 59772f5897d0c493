/** The second example of the README, as it stands there: a Compose file with labels and nothing else. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { test } from "vitest";
import { parse } from "yaml";
import { openDocker } from "../host/docker.js";
import { joined, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

/** The YAML blocks of the README whose first line is a comment with this name. */
async function blockOf(name: string): Promise<string> {
	const page = await readFile(new URL("../../README.md", import.meta.url), "utf8");
	const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
	return blocks.findLast((text) => text.startsWith(`# ${name}\n`)) ?? "";
}

test.skipIf(skipPrivileged)("the README's Compose file is all that its applications need", async () => {
	await using docker = await openDocker();
	const { discovery, proxies } = parse(await blockOf("/etc/solistend/solistend.yaml"));
	const [{ name, type, template }] = proxies;
	await using edge = await openEdge({
		within: docker.netns,
		services: {},
		// all but the paths of this machine
		proxy: { name, type, template },
		settings: { discovery: { ...discovery, docker: `unix://${docker.socket}` } },
	});
	// the gate asks from where the daemon is
	const daemon = await edge.startDaemon(docker.netns);

	const file = join(edge.folder, "compose.yaml");
	const compose = await blockOf("compose.yaml");
	await writeFile(file, compose);
	for (const [service, port] of [
		["shop", 80],
		["api", 8080],
	] as const) {
		const serves = `echo ${service} > /www/index.html; echo ok > /www/healthz; exec httpd -f -p ${port} -h /www`;
		const maker = await docker.run({ command: ["sh", "-c", serves] });
		await docker.exec("commit", maker.id, `example/${service}`);
		await maker.remove();
	}
	const up = (...words: string[]) =>
		execa("docker-compose", ["--project-name", "readme", "--file", file, ...words], {
			env: { DOCKER_HOST: `unix://${docker.socket}` },
		});
	await up("up", "--detach");
	for (const service of ["shop", "api"]) {
		await daemon.waitFor(({ msg, joined: come }) => msg === "applied" && String(come).includes(`${service}/`));
		const host = parse(compose).services[service].labels["solisten.host"];
		await eventually(`${service} answers`, async () => {
			return (await ask(edge.url, { headers: { host } })).body.trim() === service;
		});
	}
	await up("up", "--detach", "--scale", "shop=3");
	const { stdout } = await up("ps", "--quiet", "shop");
	for (const id of stdout.trim().split("\n")) {
		const [{ NetworkSettings }] = JSON.parse(await docker.exec("inspect", id));
		await joined(daemon, `shop/${NetworkSettings.Networks.readme_default.IPAddress}:80`);
	}
	await up("down", "--timeout", "0");
	// until the last one is out, HAProxy tries an address that is gone, which can take longer than a client waits
	await eventually("nobody answers", async () => {
		return (await ask(edge.url, { headers: { host: "www.example.org" } })).status === 503;
	});
});
