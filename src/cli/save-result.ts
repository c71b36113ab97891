/** Streams a merged result into the file that the user asked for, and what could not be read into one beside it. */
import { access, constants, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { assert, PeerError } from '../base/errors.ts'
import {
  openPredictionsWriter,
  type PredictionsFormat,
  type PredictionsWriter,
  predictionsFormat,
} from '../data/writers/predictions.ts'
import type { ResultHeader, ResultItem } from '../peer/control.ts'

export interface Saved {
  rows: number
  errors: number
  errorsFile?: string
  numericClasses: string[]
}

function outError(code: string, message: string): PeerError {
  return new PeerError({ code, kind: 'input', message })
}

/** Before any work starts: a name that we can write, in a folder that we can write to. */
export async function checkOut(out: string): Promise<void> {
  predictionsFormat(out)
  const folder = dirname(resolve(out))
  await access(folder, constants.W_OK).catch(() => {
    throw outError('OUT_FOLDER', `--out ${out}: the folder ${folder} does not exist or cannot be written`)
  })
  const there = await stat(out).catch(() => undefined)
  if (there?.isDirectory()) throw outError('OUT_FOLDER', `--out ${out} is a folder: give the name of a file`)
}

/** Writes to `out`; without it to standard output in `format`, and what could not be read to standard error. */
export async function saveResult(
  items: AsyncIterable<ResultItem>,
  out: string | undefined,
  format: PredictionsFormat,
): Promise<Saved> {
  let header: ResultHeader | undefined
  let writer: PredictionsWriter | undefined
  try {
    for await (const item of items) {
      if (item.type === 'header') {
        header = item
        writer = await openPredictionsWriter({ out: out ?? process.stdout, format, models: item.models })
        continue
      }
      assert(writer, 'a result begins with its header')
      if (item.type === 'row') await writer.write(item)
      else {
        if (!out) process.stderr.write(`  unreadable: ${item.path}: ${item.reason}\n`)
        await writer.writeError(item.path, item.reason)
      }
    }
    assert(writer && header, 'a result has a header')
    return { ...(await writer.close()), numericClasses: header.numericClasses }
  } catch (thrown) {
    await writer?.abort()
    throw thrown
  }
}
