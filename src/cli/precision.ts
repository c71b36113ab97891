/** The option of commands that compute on a GPU: how it stores weights and what passes between kernels. */
import { Option } from 'commander'

export type Precision = 'f32' | 'f16'

export function precisionOption(): Option {
  return new Option('--precision <precision>', 'how WebGPU stores numbers: f16 is faster, to about 3 digits')
    .choices(['f32', 'f16'])
    .default('f32')
}
