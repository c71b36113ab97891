"""Bad cables where the kernel has no netem: passes Ethernet frames between pairs of interfaces, those of the first
of a pair late and with some lost. Frames keep their offloaded checksums and segments (PACKET_VNET_HDR).

Usage: lossy.py DELAY_MS LOSS SEED PAIR...   a pair is NAME:NAME. Prints "ready", then twice a second how many frames
it has lost, and runs until it is ended.
"""
import collections
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
FRAME_BYTES_MAX = 70_000
# A cable holds so much; what comes beyond it is lost, as in a router.
WAITING_MAX = 4096


def open_port(name):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    port.bind((name, 0))
    port.setblocking(False)
    return port


def send(port, frame):
    try:
        port.send(frame)
    except OSError:
        pass  # the other end is down, or its queue is full: the frame is lost


def main():
    delay, loss = float(sys.argv[1]) / 1000, float(sys.argv[2])
    chance = random.Random(int(sys.argv[3]))
    to, late = {}, {}
    for pair in sys.argv[4:]:
        near, far = (open_port(name) for name in pair.split(":"))
        to[near], to[far] = far, near
        late[near] = collections.deque()
    print("ready", flush=True)
    lost, told = 0, time.monotonic()
    while True:
        now = time.monotonic()
        due = [queue[0][0] for queue in late.values() if queue]
        wait = max(0.0, min(due) - now) if due else 1.0
        ready, _, _ = select.select(list(to), [], [], wait)
        for port in ready:
            for _ in range(64):
                try:
                    frame = port.recv(FRAME_BYTES_MAX)
                except OSError:
                    break
                if port not in late:
                    send(to[port], frame)
                elif chance.random() >= loss and len(late[port]) < WAITING_MAX:
                    late[port].append((time.monotonic() + delay, frame))
                else:
                    lost += 1
        now = time.monotonic()
        if now - told > 0.5:
            print(lost, flush=True)
            told = now
        for port, queue in late.items():
            while queue and queue[0][0] <= now:
                send(to[port], queue.popleft()[1])


main()
