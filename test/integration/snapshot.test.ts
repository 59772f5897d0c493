/** What `ls` and `render` say of containers, without a daemon: they ask the engine themselves. */

import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { startApplication } from "../host/application.js";
import { addContainerCgroup } from "../host/cgroup.js";
import { openEdge } from "../host/edge.js";
import { openEngineServer } from "../host/engine-server.js";
import { operate } from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

describe.skipIf(skipPrivileged)("a look at containers without a daemon", () => {
	test("knows what only an inspect of each tells", async () => {
		await using engine = await openEngineServer();
		const discovery = { docker: `unix://${engine.socket}`, conventions: ["virtual-host"] };
		await using edge = await openEdge({ services: {}, settings: { discovery } });
		const id = randomBytes(32).toString("hex");
		const netns = await edge.segment.addNetns("web");
		const { enter } = edge.owned.own(await addContainerCgroup(id));
		engine.start({ id, name: "web", env: ["VIRTUAL_HOST=www.example.org"] });
		edge.owned.own(await startApplication({ name: "web", netns, within: enter }));
		expect(await operate(edge, "ls")).toContain(`in www.example.org as ${netns.address}:80`);
		expect(await operate(edge, "render")).toContain(`server s1 ${netns.address}:80 `);
	});
});
