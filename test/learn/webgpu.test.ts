/** Every method on WebGPU, one after the other: a software adapter takes all cores. */
import { createWebGpuBackend } from '../../src/compute/backends/webgpu/backend.ts'
import { haveWebGpu } from '../compute/webgpu.ts'
import { describeReferences } from './references.ts'
import { describeSameBits } from './same-bits.ts'

const available = await haveWebGpu('learning on webgpu')
const make = async () => (available ? createWebGpuBackend() : undefined)

describeReferences('webgpu', make, false)
// Some methods, of every kind of program, with few rounds: what differs between the others is on the host.
describeSameBits('webgpu', make, ['mixture, full', 'softmax, Adam', 'components, randomised'], [3])
