/** Checks what a caller gives to an executable, alike in every backend. */
import { PeerError } from '../../base/errors.ts'
import type { Port, Program } from '../engine/program.ts'
import { dtypeOf, type KernelArray } from '../tensor/dtype.ts'
import { elementsOf, shapeText } from '../tensor/shape.ts'
import type { RunInputs } from './types.ts'

/**
 * The arrays for the program's input ports, in order.
 * @throws PeerError INPUT_PORT when one is missing or has the wrong type or length
 */
export function takeInputs(program: Program, inputs: RunInputs): { port: Port; data: KernelArray }[] {
  return program.inputs.map(port => {
    const data = inputs[port.name]
    const wanted = elementsOf(port.dims)
    if (data === undefined || data.length !== wanted || dtypeOf(data) !== port.dtype) {
      const got = data === undefined ? 'nothing' : `${data.length} ${dtypeOf(data)}`
      throw new PeerError({
        code: 'INPUT_PORT',
        kind: 'input',
        message: `the network's input "${port.name}" takes ${shapeText(port.dims)} ${port.dtype} (${wanted} values) and got ${got}`,
        details: { port: port.name, expected: wanted, got: data?.length ?? 0 },
      })
    }
    return { port, data }
  })
}
