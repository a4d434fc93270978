# A meter as pymodbus makes one: input registers on TCP. Lines "address value" on stdin set a float32.
import asyncio
import struct
import sys
import threading

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartAsyncTcpServer

unit, port = int(sys.argv[1]), int(sys.argv[2])
slave = ModbusSlaveContext(ir=ModbusSequentialDataBlock(0, [0] * 200), zero_mode=True)


def listen():
    print("ready", flush=True)
    for line in sys.stdin:
        address, value = line.split()
        slave.setValues(4, int(address), list(struct.unpack(">HH", struct.pack(">f", float(value)))))


threading.Thread(target=listen, daemon=True).start()
asyncio.run(StartAsyncTcpServer(ModbusServerContext(slaves={unit: slave}, single=False), address=("127.0.0.1", port)))
