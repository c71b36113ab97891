/** The one runtime of this process, made when it is first asked for. */
import { createWasmRuntime, type SharedWasm } from './runtime.ts'

let runtime: Promise<SharedWasm> | undefined

/** What a worker gets as `workerData` and gives to `attachWasmBackend`. @throws PeerError of `createWasmRuntime` */
export function sharedWasmRuntime(): Promise<SharedWasm> {
  runtime ??= createWasmRuntime().then(made => made.shared)
  return runtime
}
