/*
 * rtpload PLAN: paced two-way RTP or SRTP load on a plan of sessions; any relay may stand between them. What
 * leg a sends to its destination has to arrive on the socket of leg b and the other way round, with the
 * sequence number kept. SRTP is made before a probe, and a sample of what arrived is opened after it, so
 * the load's own cryptography costs nothing during the probe.
 *
 * A line of PLAN for each leg, two lines (a, b) for each session:
 *   bind-address bind-port destination-address destination-port suite send-key receive-key
 * suite: rtp, 80 or 32 (bits of the tag of AES_CM_128_HMAC_SHA1); keys: 30 bytes in hex, or -.
 * Commands on stdin: "probe PPS SECONDS", answered by {"prepared":true}; "go" starts, {"sent":true} ends the
 * sending; "done" gives one JSON object with the results (latencies in microseconds); "quit".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <srtp2/srtp.h>

enum {
	HEADER_BYTES = 12,
	PAYLOAD_BYTES = 160, /* G.711, 20 ms */
	SLOT_BYTES = 192,    /* of one prepared packet */
	SEQUENCES = 65536,
	LEGS_MAX = 20000,
	SAMPLES_MAX = 20000,
	SAMPLE_EVERY = 41,
	BURST_MAX = 64,
	FINE_BUCKETS = 4096, /* of 1 us; then buckets of 64 us */
	BUCKETS = 8192,
};

typedef struct {
	int fd;
	srtp_t sealer, opener;
	uint32_t ssrc;
	uint64_t sequence; /* of the next packet to send */
	uint64_t probe_start;
	uint64_t sent, received;
	uint64_t *sent_at; /* by 16-bit sequence number */
	int packet_bytes;
} leg_t;

typedef struct {
	int leg, length;
	uint8_t bytes[256];
} sample_t;

static leg_t *legs;
static int leg_count;
static sample_t samples[SAMPLES_MAX];
static int sample_count;
static uint32_t histogram[BUCKETS];
static uint64_t received_total, foreign_total;

static void fail(const char *what)
{
	fprintf(stderr, "rtpload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void count_latency(int64_t ns)
{
	int64_t us = ns < 0 ? 0 : ns / 1000;
	int64_t at = us < FINE_BUCKETS ? us : FINE_BUCKETS + (us - FINE_BUCKETS) / 64;
	histogram[at < BUCKETS ? at : BUCKETS - 1]++;
}

static double percentile(double part)
{
	uint64_t total = 0, below = 0;
	for (int i = 0; i < BUCKETS; i++)
		total += histogram[i];
	for (int i = 0; i < BUCKETS; i++) {
		below += histogram[i];
		if (below > total * part)
			return i < FINE_BUCKETS ? i : FINE_BUCKETS + (i - FINE_BUCKETS) * 64.0;
	}
	return -1;
}

static srtp_t make_srtp(const char *suite, const char *hex, srtp_ssrc_type_t direction)
{
	if (hex[0] == '-')
		return NULL;
	uint8_t key[30];
	if (strlen(hex) != 60)
		fail("a key is not 30 bytes");
	for (int i = 0; i < 30; i++)
		sscanf(hex + 2 * i, "%2hhx", &key[i]);
	srtp_policy_t policy = { .ssrc = { .type = direction }, .key = key, .window_size = 16384 };
	if (strcmp(suite, "32") == 0)
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp);
	else
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
	srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
	srtp_t srtp;
	if (srtp_create(&srtp, &policy) != srtp_err_status_ok)
		fail("srtp_create");
	return srtp;
}

static uint8_t payload_byte(int leg, uint64_t sequence, int at)
{
	return at * 7 + (sequence & 0xffff) * 13 + leg * 3;
}

static void write_packet(uint8_t *packet, int leg, uint64_t sequence)
{
	uint32_t timestamp = htonl((uint32_t)sequence * 160), ssrc = htonl(legs[leg].ssrc);
	packet[0] = 0x80;
	packet[1] = 0;
	packet[2] = sequence >> 8;
	packet[3] = sequence;
	memcpy(packet + 4, &timestamp, 4);
	memcpy(packet + 8, &ssrc, 4);
	for (int i = 0; i < PAYLOAD_BYTES; i++)
		packet[HEADER_BYTES + i] = payload_byte(leg, sequence, i);
	if (legs[leg].sealer == NULL)
		return;
	int length = HEADER_BYTES + PAYLOAD_BYTES;
	if (srtp_protect(legs[leg].sealer, packet, &length) != srtp_err_status_ok)
		fail("srtp_protect");
}

static uint64_t arrival_of(struct msghdr *header)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);
	if (control == NULL || control->cmsg_type != SCM_TIMESTAMPNS)
		return now_ns();
	struct timespec t;
	memcpy(&t, CMSG_DATA(control), sizeof t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void take_packet(int at, const uint8_t *packet, int length, uint64_t arrival)
{
	leg_t *sender = &legs[at ^ 1];
	if (length < HEADER_BYTES || (packet[0] & 0xc0) != 0x80 || (packet[1] & 0x7f) != 0) {
		foreign_total++;
		return;
	}
	uint16_t low = packet[2] << 8 | packet[3];
	uint64_t sequence = (sender->sequence & ~0xffffull) | low;
	if (sequence >= sender->sequence)
		sequence -= SEQUENCES;
	if ((int64_t)sequence < (int64_t)sender->probe_start) {
		foreign_total++;
		return;
	}
	legs[at].received++;
	received_total++;
	count_latency(arrival - sender->sent_at[low]);
	if (received_total % SAMPLE_EVERY != 0 || sample_count == SAMPLES_MAX)
		return;
	sample_t *sample = &samples[sample_count++];
	sample->leg = at;
	sample->length = length < 256 ? length : 256;
	memcpy(sample->bytes, packet, sample->length);
}

static void drain(int at)
{
	static uint8_t bytes[16][256];
	static char control[16][64];
	static struct iovec vectors[16];
	static struct mmsghdr messages[16];
	for (int i = 0; i < 16; i++) {
		vectors[i] = (struct iovec){ bytes[i], 256 };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1,
			.msg_control = control[i], .msg_controllen = 64 };
	}
	int count = recvmmsg(legs[at].fd, messages, 16, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++)
		take_packet(at, bytes[i], messages[i].msg_len, arrival_of(&messages[i].msg_hdr));
}

static int open_socket(const char *bind_address, int bind_port, const char *address, int port)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), buffer = 8 << 20, on = 1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(bind_port) };
	struct sockaddr_in far = { .sin_family = AF_INET, .sin_port = htons(port) };
	inet_pton(AF_INET, bind_address, &own.sin_addr);
	inet_pton(AF_INET, address, &far.sin_addr);
	if (bind(fd, (void *)&own, sizeof own) != 0)
		fail("bind");
	if (connect(fd, (void *)&far, sizeof far) != 0)
		fail("connect");
	return fd;
}

static int read_plan(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[512], own[64], far[64], suite[8], send_key[80], receive_key[80];
	int own_port, far_port, epoll = epoll_create1(0);
	if (file == NULL)
		fail(path);
	legs = calloc(LEGS_MAX, sizeof *legs);
	while (fgets(line, sizeof line, file) != NULL && leg_count < LEGS_MAX) {
		if (sscanf(line, "%63s %d %63s %d %7s %79s %79s", own, &own_port, far, &far_port, suite,
			    send_key, receive_key) != 7)
			continue;
		leg_t *leg = &legs[leg_count];
		leg->fd = open_socket(own, own_port, far, far_port);
		leg->sealer = make_srtp(suite, send_key, ssrc_any_outbound);
		leg->opener = make_srtp(suite, receive_key, ssrc_any_inbound);
		leg->ssrc = 0x10000000u + leg_count * 7919u;
		leg->sequence = 1000;
		leg->sent_at = calloc(SEQUENCES, sizeof *leg->sent_at);
		leg->packet_bytes = HEADER_BYTES + PAYLOAD_BYTES;
		if (leg->sealer != NULL)
			leg->packet_bytes += strcmp(suite, "32") == 0 ? 4 : 10;
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = leg_count++ };
		epoll_ctl(epoll, EPOLL_CTL_ADD, leg->fd, &event);
	}
	fclose(file);
	return epoll;
}

static uint8_t *prepare(uint64_t each)
{
	uint8_t *packets = malloc(each * leg_count * SLOT_BYTES);
	if (packets == NULL)
		fail("malloc");
	for (uint64_t k = 0; k < each; k++)
		for (int i = 0; i < leg_count; i++)
			write_packet(packets + (k * leg_count + i) * SLOT_BYTES, i, legs[i].sequence + k);
	for (int i = 0; i < leg_count; i++) {
		drain(i);
		legs[i].sent = legs[i].received = 0;
		legs[i].probe_start = legs[i].sequence;
	}
	memset(histogram, 0, sizeof histogram);
	sample_count = 0;
	received_total = foreign_total = 0;
	return packets;
}

static int receive_waiting(int epoll, int timeout_ms)
{
	struct epoll_event events[512];
	int count = epoll_wait(epoll, events, 512, timeout_ms);
	for (int i = 0; i < count; i++)
		drain(events[i].data.u32);
	return count;
}

/* Sends everything at its time and takes what arrives in between; seconds it took. */
static double send_all(int epoll, const uint8_t *packets, uint64_t total, double pps)
{
	uint64_t start = now_ns(), sent = 0;
	while (sent < total) {
		uint64_t due = (uint64_t)((now_ns() - start) * 1e-9 * pps) + 1;
		for (int burst = 0; sent < due && sent < total && burst < BURST_MAX; burst++, sent++) {
			leg_t *leg = &legs[sent % leg_count];
			leg->sent_at[leg->sequence++ & 0xffff] = now_ns();
			if (send(leg->fd, packets + sent * SLOT_BYTES, leg->packet_bytes, MSG_DONTWAIT) >= 0)
				leg->sent++;
		}
		double ahead_ns = sent / pps * 1e9 - (now_ns() - start);
		int timeout_ms = ahead_ns > 1.2e6 ? 1 : 0;
		if (receive_waiting(epoll, timeout_ms) == 0 && timeout_ms == 0 && ahead_ns > 0)
			nanosleep(&(struct timespec){ 0, 50000 }, NULL);
	}
	return (now_ns() - start) / 1e9;
}

/* Until nothing has come for 0.4 s, at most 5 s: what a full socket still holds belongs to this probe. */
static void take_late_ones(int epoll)
{
	uint64_t start = now_ns(), last = start;
	while (now_ns() - last < 400000000ull && now_ns() - start < 5000000000ull)
		if (receive_waiting(epoll, 50) > 0)
			last = now_ns();
}

static int is_right(sample_t *sample)
{
	leg_t *leg = &legs[sample->leg];
	int length = sample->length;
	if (leg->opener != NULL && srtp_unprotect(leg->opener, sample->bytes, &length) != 0)
		return 0;
	if (length != HEADER_BYTES + PAYLOAD_BYTES)
		return 0;
	uint64_t sequence = sample->bytes[2] << 8 | sample->bytes[3];
	for (int i = 0; i < PAYLOAD_BYTES; i++)
		if (sample->bytes[HEADER_BYTES + i] != payload_byte(sample->leg ^ 1, sequence, i))
			return 0;
	return 1;
}

static double cpu_seconds(void)
{
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	return use.ru_utime.tv_sec + use.ru_stime.tv_sec +
		(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static void report(double pps, double took, double cpu)
{
	uint64_t sent = 0, received = 0;
	int right = 0, silent = 0;
	for (int i = 0; i < sample_count; i++)
		right += is_right(&samples[i]);
	for (int i = 0; i < leg_count; i++) {
		sent += legs[i].sent;
		received += legs[i].received;
		silent += legs[i].received == 0;
	}
	printf("{\"pps\":%.0f,\"achievedPps\":%.0f,\"sent\":%lu,\"received\":%lu,\"loss\":%.6f,"
	       "\"p50Us\":%.0f,\"p99Us\":%.0f,\"p999Us\":%.0f,\"silentLegs\":%d,\"foreign\":%lu,"
	       "\"checked\":%d,\"wrong\":%d,\"loadCpuSeconds\":%.3f}\n",
		pps, sent / took, sent, received, sent ? 1.0 - (double)received / sent : 1.0,
		percentile(0.5), percentile(0.99), percentile(0.999), silent, foreign_total, sample_count,
		sample_count - right, cpu);
}

static void wait_for(const char *word)
{
	char line[64];
	if (fgets(line, sizeof line, stdin) == NULL || strncmp(line, word, strlen(word)) != 0)
		exit(1);
}

static void probe(int epoll, double pps, double seconds)
{
	uint64_t each = (uint64_t)(pps * seconds) / leg_count + 1;
	uint8_t *packets = prepare(each);
	printf("{\"prepared\":true}\n");
	wait_for("go");
	double cpu = cpu_seconds();
	double took = send_all(epoll, packets, each * leg_count, pps);
	cpu = cpu_seconds() - cpu;
	printf("{\"sent\":true}\n");
	wait_for("done");
	take_late_ones(epoll);
	report(pps, took, cpu);
	free(packets);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: rtpload PLAN\n");
		return 2;
	}
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	setbuf(stdout, NULL);
	srtp_init();
	int epoll = read_plan(argv[1]);
	printf("{\"ready\":true,\"sessions\":%d}\n", leg_count / 2);
	char line[128];
	double pps, seconds;
	while (fgets(line, sizeof line, stdin) != NULL && strncmp(line, "quit", 4) != 0)
		if (sscanf(line, "probe %lf %lf", &pps, &seconds) == 2)
			probe(epoll, pps, seconds);
	return 0;
}
