import { describe, expect, test } from "vitest";
import { parseCgroup } from "../../../src/identity/cgroup.js";

const A = "3f2a9c0d41b6f7e8a5c3d2e1f09876543210abcdef0123456789abcdef012345";
/** A pod's uid, as Kubernetes writes it and as systemd has to. */
const POD = "2f1c8a4e-7a40-4a53-9d0b-0b8c6a3e7f11";
const POD_IN_SLICE = "2f1c8a4e_7a40_4a53_9d0b_0b8c6a3e7f11";

/** The uid of a static pod. */
const STATIC_POD = "8d1b9d1d7f7a9a3bb0c5a4a1e2f3d4c5";

const B = "0ba8fb2f4a09f1a8e1f6c6d0f0c7a1e2b3c4d5e6f708192a3b4c5d6e7f809102";

describe("the place of a process in the unified hierarchy", () => {
	test.each<[string, string, string | undefined, string | undefined, { pod?: string; machine?: string }?]>([
		["a service", "/system.slice/nginx.service", "nginx.service", undefined],
		[
			"an instance of a template",
			"/system.slice/system-postgresql.slice/postgresql@15-main.service",
			"postgresql@15-main.service",
			undefined,
		],
		["a subgroup of a delegated service", "/system.slice/web.service/supervisor", "web.service", undefined],
		["the first process", "/init.scope", "init.scope", undefined],
		["a login", "/user.slice/user-1000.slice/session-3.scope", "session-3.scope", undefined],
		[
			"a user's service",
			"/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service",
			"syncthing.service",
			undefined,
		],
		["a user's manager", "/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service", undefined],
		["a slice, which is no unit that listens", "/system.slice", undefined, undefined],
		["no unit at all", "/batch/job-7", undefined, undefined],
		["the root", "/", undefined, undefined],
		["Docker with systemd", `/system.slice/docker-${A}.scope`, undefined, A],
		["Docker with cgroupfs", `/docker/${A}`, undefined, A],
		["Docker with a parent of its own", `/web.slice/docker-${A}.scope`, undefined, A],
		["systemd in Docker", `/system.slice/docker-${A}.scope/system.slice/nginx.service`, undefined, A],
		["Podman", `/machine.slice/libpod-${A}.scope/container`, undefined, A],
		["Podman under runc", `/machine.slice/libpod-${A}.scope`, undefined, A],
		[
			"Podman without root",
			`/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${A}.scope/container`,
			"user@1000.service",
			A,
		],
		["Podman with cgroupfs", `/libpod_parent/libpod-${A}`, undefined, A],
		["a Quadlet", `/system.slice/web.service/libpod-payload-${A}`, "web.service", A],
		["a container's monitor", `/machine.slice/libpod-conmon-${A}.scope`, undefined, undefined],
		["CRI-O's monitor", `/system.slice/crio-conmon-${A}.scope`, undefined, undefined],
		[
			"Kubernetes on containerd with systemd",
			`/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2f1c8a4e_7a40_4a53_9d0b_0b8c6a3e7f11.slice/cri-containerd-${A}.scope`,
			undefined,
			A,
			{ pod: POD },
		],
		[
			"Kubernetes on CRI-O",
			`/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod2f1c8a4e_7a40_4a53_9d0b_0b8c6a3e7f11.slice/crio-${A}.scope`,
			undefined,
			A,
			{ pod: POD },
		],
		[
			"Kubernetes on CRI-O with crun",
			`/kubepods.slice/kubepods-pod2f1c8a4e_7a40_4a53_9d0b_0b8c6a3e7f11.slice/crio-${A}.scope/container`,
			undefined,
			A,
			{ pod: POD },
		],
		[
			"Kubernetes on Docker",
			`/kubepods.slice/kubepods-pod2f1c8a4e_7a40_4a53_9d0b_0b8c6a3e7f11.slice/docker-${A}.scope`,
			undefined,
			A,
			{ pod: POD },
		],
		["Kubernetes with cgroupfs", `/kubepods/burstable/pod${POD}/${A}`, undefined, A, { pod: POD }],
		[
			"containerd with cgroupfs under a kubelet with systemd",
			`/system.slice/containerd.service/kubepods-burstable-pod2f1c8a4e_7a40_4a53_9d0b_0b8c6a3e7f11.slice:cri-containerd:${A}`,
			"containerd.service",
			A,
			{ pod: POD },
		],
		[
			"Kubernetes in Docker, where the host's counts: who is in there names what is below it",
			`/docker/${A}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/cri-containerd-${B}.scope`,
			undefined,
			A,
		],
		["nerdctl with systemd", `/system.slice/nerdctl-${A}.scope`, undefined, A],
		["nerdctl with cgroupfs", `/default/${A}`, undefined, A],
		["ECS", `/ecs/55091c13-b8cf-4801-b527-f4601742204d/${A}`, undefined, A],
		[
			"nspawn as a scope",
			"/machine.slice/machine-web.scope/payload",
			"machine-web.scope",
			undefined,
			{ machine: "web" },
		],
		[
			"a service inside nspawn",
			"/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
			"nginx.service",
			undefined,
			{ machine: "web" },
		],
		["a service inside LXC", "/lxc.payload.web/system.slice/ssh.service", "ssh.service", undefined, { machine: "web" }],
		["LXC", "/lxc.payload.web", undefined, undefined, { machine: "web" }],
		[
			"LXC with a name with dots",
			"/lxc.payload.web.example.org/init.scope",
			"init.scope",
			undefined,
			{ machine: "web.example.org" },
		],
		["LXC 3", "/lxc.payload/web", undefined, undefined, { machine: "web" }],
		["LXC before that", "/lxc/web/system.slice", undefined, undefined, { machine: "web" }],
		["LXC on Proxmox", "/lxc/101/ns/system.slice/nginx.service", "nginx.service", undefined, { machine: "101" }],
		[
			"LXC of a user",
			"/user.slice/user-1000.slice/session-3.scope/lxc.payload.web",
			"session-3.scope",
			undefined,
			{ machine: "web" },
		],
		[
			"LXC in LXC, where the host's counts",
			"/lxc.payload.outer/lxc.payload.inner",
			undefined,
			undefined,
			{ machine: "outer" },
		],
		["LXC's monitor", "/lxc.monitor.web", undefined, undefined],
		["LXC's own service", "/system.slice/lxc.service", "lxc.service", undefined],
		["Docker in LXC", `/lxc.payload.web/docker/${A}`, undefined, A, { machine: "web" }],
		["Docker with a parent that is called so", `/lxc/${A}`, undefined, A],
		[
			"nspawn in its service",
			"/machine.slice/systemd-nspawn@web.service/payload",
			"systemd-nspawn@web.service",
			undefined,
			{ machine: "web" },
		],
		[
			"nspawn with an escaped name",
			"/machine.slice/systemd-nspawn@web\\x2d1.service/payload",
			"systemd-nspawn@web\\x2d1.service",
			undefined,
			{ machine: "web-1" },
		],
		[
			"an escaped scope",
			"/machine.slice/machine-web\\x2d1\\x2eold.scope",
			"machine-web\\x2d1\\x2eold.scope",
			undefined,
			{ machine: "web-1.old" },
		],
		[
			"nspawn's monitor",
			"/machine.slice/systemd-nspawn@web.service/supervisor",
			"systemd-nspawn@web.service",
			undefined,
		],
		[
			"a virtual machine",
			"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
			"machine-qemu\\x2d1\\x2dvm.scope",
			undefined,
			{ machine: "qemu-1-vm" },
		],
		["a static pod", `/kubepods/burstable/pod${STATIC_POD}/${A}`, undefined, A, { pod: STATIC_POD }],
		[
			"a static pod with systemd",
			`/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${STATIC_POD}.slice/cri-containerd-${A}.scope`,
			undefined,
			A,
			{ pod: STATIC_POD },
		],
		[
			"Kubernetes in Docker, whose pods are its own affair",
			`/docker/${B}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${POD_IN_SLICE}.slice/cri-containerd-${A}.scope`,
			undefined,
			B,
		],
		[
			"containerd's cgroup without systemd",
			`/kubepods-besteffort-pod${POD_IN_SLICE}.slice:cri-containerd:${A}`,
			undefined,
			A,
			{ pod: POD },
		],
		[
			"a pod that a container says it is in",
			`/kubepods/pod${POD}/${A}/kubepods/pod${STATIC_POD}`,
			undefined,
			A,
			{ pod: POD },
		],
		["a pod that is too short", `/kubepods/pod2f1c8a4e-7a40/${A}`, undefined, A],
		["a pod of Podman's", `/machine.slice/machine-libpod_pod_${B}.slice/libpod-${A}.scope/container`, undefined, A],
		["Podman's pod with cgroupfs", `/libpod_parent/${B}/libpod-${A}`, undefined, A],
		[
			"Podman without root, under cgroupfs",
			`/user.slice/user-1000.slice/session-3.scope/libpod-${A}`,
			"session-3.scope",
			A,
		],
		["an id that is too short", "/docker/3f2a9c0d41b6", undefined, undefined],
		["above our own root", "/../nginx.service", "nginx.service", undefined],
		["an escaped unit", "/system.slice/srv-my\\x2dapp.service", "srv-my\\x2dapp.service", undefined],
	])("%s", (_what, path, unit, container, more) => {
		expect(parseCgroup(`0::${path}\n`)).toEqual({
			cgroup: path,
			...(unit !== undefined && { unit }),
			...(container !== undefined && { container }),
			...more,
		});
	});

	test("a cgroup that was removed under the process keeps its name", () => {
		expect(parseCgroup("0::/system.slice/nginx.service (deleted)\n")).toEqual({
			cgroup: "/system.slice/nginx.service",
			unit: "nginx.service",
		});
	});

	test("nothing comes of nothing, nor of what is no such text", () => {
		expect(parseCgroup("")).toEqual({});
		expect(parseCgroup("\n0::\nx:y:/z\n0:")).toEqual({});
	});
});

describe("the place of a process where there are v1 hierarchies", () => {
	const v1 = (path: string, unified?: string) =>
		[
			`12:pids:${path}`,
			`11:cpu,cpuacct:${path}`,
			`10:memory:${path}`,
			"9:rdma:/",
			`1:name=systemd:${path}`,
			...(unified === undefined ? [] : [`0::${unified}`]),
			"",
		].join("\n");

	test("Docker with cgroupfs", () => {
		expect(parseCgroup(v1(`/docker/${A}`))).toEqual({ cgroup: `/docker/${A}`, container: A });
	});

	test("Docker with cgroupfs beside a unified tree, in which it stays with its engine", () => {
		expect(parseCgroup(v1(`/docker/${A}`, "/system.slice/containerd.service"))).toEqual({
			cgroup: `/docker/${A}`,
			container: A,
		});
	});

	test("Docker with systemd beside a unified tree", () => {
		const path = `/system.slice/docker-${A}.scope`;
		expect(parseCgroup(v1(path, path))).toEqual({ cgroup: path, container: A });
	});

	test("Kubernetes with cgroupfs", () => {
		const path = `/kubepods/besteffort/pod${POD}/${A}`;
		expect(parseCgroup(v1(path, "/"))).toEqual({ cgroup: path, container: A, pod: POD });
	});

	test("Kubernetes beside a unified tree, in which it stays with containerd", () => {
		const path = `/kubepods/besteffort/pod${POD}/${A}`;
		const place = { cgroup: path, container: A, pod: POD };
		expect(parseCgroup(v1(path, "/system.slice/containerd.service"))).toEqual(place);
	});

	test("LXC beside a unified tree, in which it stays with who started it", () => {
		const place = { cgroup: "/lxc.payload.web", machine: "web" };
		expect(parseCgroup(v1("/lxc.payload.web", "/user.slice/user-0.slice/session-3.scope"))).toEqual(place);
	});

	test("nspawn", () => {
		const path = "/machine.slice/machine-web.scope";
		const place = { cgroup: path, unit: "machine-web.scope", machine: "web" };
		expect(parseCgroup(v1(path))).toEqual(place);
		expect(parseCgroup(v1(path, `${path}/payload`))).toEqual({ ...place, cgroup: `${path}/payload` });
	});

	test("the unified path comes first", () => {
		expect(parseCgroup("4:memory:/limits/a/b\n1:name=systemd:/old.service\n0::/system.slice/web.service\n")).toEqual({
			cgroup: "/system.slice/web.service",
			unit: "web.service",
		});
	});

	test("systemd's own comes next, though a controller's is deeper", () => {
		expect(parseCgroup("4:memory:/limits/a/b\n1:name=systemd:/system.slice/web.service\n0::/\n")).toEqual({
			cgroup: "/system.slice/web.service",
			unit: "web.service",
		});
	});

	test("else the deepest of the controllers", () => {
		expect(parseCgroup("9:name=systemd:/\n5:cpu:/a\n4:memory:/process_api/01410122\n0::/\n")).toEqual({
			cgroup: "/process_api/01410122",
		});
	});

	test("all in the root", () => {
		expect(parseCgroup("9:name=systemd:/\n8:pids:/\n0::/\n")).toEqual({ cgroup: "/" });
	});
});
