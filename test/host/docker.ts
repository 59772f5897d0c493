/** A real dockerd of a test's own, with its own containerd; all it has is in a temporary folder. */

import { join } from "node:path";
import { type ContainerEngine, startEngine } from "./container-engine.js";

/** Starts one; needs what test/extended/engines.sh installs. */
export function openDocker(): Promise<ContainerEngine> {
	return startEngine({
		name: "docker",
		// Its containerd goes with it, and may stay a zombie where nobody reaps: taken for one that runs.
		stale: ["exec/containerd/containerd.pid"],
		command: ({ folder, socket, cgroup }) => ({
			words: [
				"dockerd",
				...["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec")],
				...["--pidfile", join(folder, "dockerd.pid"), "--host", `unix://${socket}`],
				...["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", cgroup],
				...["--bip", "172.31.0.1/24", "--default-address-pool", "base=172.30.0.0/16,size=24"],
				// Containers outlive a dockerd that is killed.
				"--live-restore",
			],
		}),
	});
}
