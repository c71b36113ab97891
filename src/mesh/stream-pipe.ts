/** A libp2p stream as a `Pipe`: its events as calls, its backpressure as `write`'s answer. */
import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import type { Pipe, PipeUser } from './requests/pipe.ts'

export function streamPipe(stream: Stream): Pipe {
  let user: PipeUser | undefined
  let over = false

  const abort = (reason: Error) => {
    // `close` follows as an event, with this reason.
    if (!over) stream.abort(reason)
  }
  const onMessage = (event: { data: Uint8Array | Iterable<Uint8Array> }) => {
    try {
      if (event.data instanceof Uint8Array) user?.data(event.data)
      else for (const piece of event.data) user?.data(piece)
    } catch (thrown) {
      abort(thrown instanceof Error ? thrown : new Error(String(thrown)))
    }
  }
  const end = (reason?: Error) => {
    if (over) return
    over = true
    user?.closed(reason)
  }

  return {
    write(pieces) {
      if (over) return false
      try {
        return stream.send(pieces.length === 1 ? pieces[0] : new Uint8ArrayList(...pieces))
      } catch (thrown) {
        abort(thrown instanceof Error ? thrown : new Error(String(thrown)))
        return false
      }
    },
    attach(attached) {
      user = attached
      stream.addEventListener('drain', () => user?.drained())
      stream.addEventListener('close', event => end(event.error))
      // The other side has nothing more to say: neither requests nor replies can follow.
      stream.addEventListener('remoteCloseWrite', () => {
        abort(new Error('the other side closed the stream'))
      })
      stream.addEventListener('message', onMessage)
      if (stream.status !== 'open') end(new Error('the stream is closed'))
    },
    abort,
  }
}
