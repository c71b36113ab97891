/**
 * The inputs of a submission: those that stand on the command line, and lists of them on standard input (`-`) or in a file,
 * as `find … -print0` writes them: by zero bytes where there is one, else by lines.
 */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { Command } from 'commander'
import { nameFromBytes } from '../base/byte-names.ts'
import { PeerError } from '../base/errors.ts'
import { sayIfLongTo } from './waiting.ts'

export interface ListArguments {
  filesFrom?: string
  null?: boolean
}

/** @param says what the inputs are, for the help */
export function inputArguments(command: Command, says: string): Command {
  return command
    .argument('[input...]', `${says}; - reads a list of them from standard input`)
    .option('--files-from <file>', 'read a list of inputs from this file as well, one a line')
    .option(
      '-0, --null',
      'the items of such lists end with a zero byte, as find -print0 writes them (else it is told by the first)',
    )
}

/** A list of a million paths of a hundred bytes. */
const listBytesMax = 128 * 1024 * 1024

/** All inputs, in order. Throws PeerError of kind `input`. */
export async function allInputs(named: readonly string[], { filesFrom, null: zero }: ListArguments): Promise<string[]> {
  const inputs: string[] = []
  for (const input of named)
    inputs.push(...(input === '-' ? await listed(process.stdin, 'standard input', zero) : [input]))
  if (filesFrom === '-') inputs.push(...(await listed(process.stdin, 'standard input', zero)))
  else if (filesFrom !== undefined) inputs.push(...(await listed(await opened(filesFrom), filesFrom, zero)))
  if (inputs.length > 0) return inputs
  const lists = named.length > 0 || filesFrom !== undefined
  throw wrong(
    lists ? 'the list of inputs is empty' : 'missing argument <input>: name files, folders or globs, or - for a list',
  )
}

const wrong = (message: string) => new PeerError({ code: 'INPUT_LIST', kind: 'input', message })

/** A file, or a pipe such as a shell's `<(find …)`; a pipe without a writer blocks no thread. */
async function opened(file: string): Promise<AsyncIterable<Buffer>> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((thrown: NodeJS.ErrnoException) => {
    throw wrong(`--files-from ${file} cannot be read (${thrown.code}): check the path`)
  })
  const stats = await handle.stat()
  if (stats.isFile()) return handle.createReadStream()
  if (stats.isFIFO()) return new Socket({ fd: handle.fd, writable: false })
  await handle.close()
  throw wrong(`--files-from ${file} is neither a file nor a pipe`)
}

async function listed(stream: AsyncIterable<Buffer>, what: string, zero = false): Promise<string[]> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of sayIfLongTo(`the list of inputs from ${what}`, stream)) {
    bytes += chunk.length
    if (bytes > listBytesMax)
      throw wrong(`the list in ${what} has more than ${listBytesMax} bytes: name a folder instead`)
    chunks.push(Buffer.from(chunk))
  }
  const text = nameFromBytes(Buffer.concat(chunks))
  const items = zero || text.includes('\0') ? text.split('\0') : text.split(/\r?\n/)
  return items.filter(item => item !== '')
}
