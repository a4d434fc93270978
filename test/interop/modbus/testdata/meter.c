/* A meter as libmodbus makes one: input registers on a serial line without parity, which pseudo terminals do not have. Lines "address value" on stdin set a float32. */
#include <errno.h>
#include <modbus.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static modbus_mapping_t *map;

static void *listen_stdin(void *unused) {
	int address;
	union { float f; uint32_t u; } value;
	while (scanf("%d %f", &address, &value.f) == 2) {
		map->tab_input_registers[address] = value.u >> 16;
		map->tab_input_registers[address + 1] = value.u & 0xFFFF;
	}
	return unused;
}

int main(int argc, char **argv) {
	uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
	pthread_t thread;
	if (argc != 3) return 2;
	modbus_t *bus = modbus_new_rtu(argv[1], 19200, 'N', 8, 1);
	map = modbus_mapping_new(0, 0, 0, 200);
	modbus_set_slave(bus, atoi(argv[2]));
	if (modbus_connect(bus) == -1) {
		fprintf(stderr, "%s: %s\n", argv[1], modbus_strerror(errno));
		return 1;
	}
	pthread_create(&thread, NULL, listen_stdin, NULL);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n = modbus_receive(bus, query);
		if (n > 0) modbus_reply(bus, query, n, map);
	}
}
