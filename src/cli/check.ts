export async function check(..._args: unknown[]): Promise<number> {
	return 1;
}
