/** The sensor as it was built: its worker thread needs real JavaScript. */

const built = (module: string) => import(new URL(`../../../build/sensor/${module}`, import.meta.url).href);

export const { openSensor }: typeof import("../../../src/sensor/sensor.js") = await built("sensor.js");
export const { openKernel }: typeof import("../../../src/sensor/kernel.js") = await built("kernel.js");
export const { libbpfVersion, openObject, readSingle, writeSingle }: typeof import("../../../src/sensor/libbpf.js") =
	await built("libbpf.js");
