
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


/*
 * SMTP sessions for a measurement, so many at a time:
 *
 *     session PORT CLIENTS SESSIONS TIMES LINE... [ -- LINE... ]
 *
 * Each connects to 127.0.0.1, says the lines in front of "--" and waits for
 * each reply, then TIMES times those behind it, then QUIT.  What a line that
 * begins with "@" takes is measured.  Prints "count=N code=NNN rate=N p50=N
 * p99=N": how many of these, the first reply's code (0 when they differ), the
 * number in a second, and microseconds.
 */


#define MAX_LINES  16
#define WAIT       20


static struct sockaddr_in  server;
static int                 sessions, times, once, lines;
static char               *line[MAX_LINES];

static pthread_mutex_t     lock = PTHREAD_MUTEX_INITIALIZER;
static int                 begun, count, code;
static double             *taken;


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}


/* the code of a whole reply; 0: there is none */

static int
reply(int fd)
{
    int      n, len;
    char     buf[4096], *p;

    len = 0;

    for ( ;; ) {
        n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);

        if (n <= 0) {
            return 0;
        }

        len += n;
        buf[len] = '\0';

        if (buf[len - 1] != '\n') {
            continue;
        }

        /* the last line */

        for (p = buf + len - 1; p > buf && p[-1] != '\n'; p--) { /* void */ }

        if (buf + len - p > 4 && p[3] != '-') {
            return atoi(p);
        }
    }
}


static int
say(int fd, char *text)
{
    int     n, rc;
    char    buf[2048];
    double  t;

    n = snprintf(buf, sizeof(buf), "%s\r\n", text + (*text == '@'));
    t = now();

    if (send(fd, buf, n, MSG_NOSIGNAL) != n) {
        return 0;
    }

    rc = reply(fd);

    if (*text == '@' && rc) {
        t = now() - t;

        pthread_mutex_lock(&lock);

        code = (count == 0 || code == rc) ? rc : 0;
        taken[count++] = t;

        pthread_mutex_unlock(&lock);
    }

    return rc;
}


static void
session(void)
{
    int             fd, i, k, on;
    struct timeval  tv;

    on = 1;
    tv.tv_sec = WAIT;
    tv.tv_usec = 0;

    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1) {
        return;
    }

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));

    if (connect(fd, (struct sockaddr *) &server, sizeof(server)) == -1
        || reply(fd) != 220)
    {
        close(fd);
        return;
    }

    for (i = 0; i < once; i++) {
        if (say(fd, line[i]) == 0) {
            close(fd);
            return;
        }
    }

    for (k = 0; k < times; k++) {
        for (i = once; i < lines; i++) {
            if (say(fd, line[i]) == 0) {
                close(fd);
                return;
            }
        }
    }

    say(fd, "QUIT");
    close(fd);
}


static void *
client(void *data)
{
    int  last;

    for ( ;; ) {
        pthread_mutex_lock(&lock);
        last = (begun++ >= sessions);
        pthread_mutex_unlock(&lock);

        if (last) {
            return data;
        }

        session();
    }
}


static int
compare(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return (x > y) - (x < y);
}


int
main(int argc, char **argv)
{
    int         i, clients;
    double      start, end;
    pthread_t  *thread;

    if (argc < 6 || argc - 5 > MAX_LINES) {
        fprintf(stderr, "session PORT CLIENTS SESSIONS TIMES LINE...\n");
        return 1;
    }

    server.sin_family = AF_INET;
    server.sin_port = htons(atoi(argv[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    clients = atoi(argv[2]);
    sessions = atoi(argv[3]);
    times = atoi(argv[4]);
    once = argc - 5;

    for (i = 5; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            once = lines;
            continue;
        }

        line[lines++] = argv[i];
    }

    if (once > lines) {
        once = lines;
    }

    taken = calloc((size_t) sessions * (times ? times : 1) * MAX_LINES,
                   sizeof(double));
    thread = calloc(clients, sizeof(pthread_t));

    if (taken == NULL || thread == NULL) {
        return 1;
    }

    start = now();

    for (i = 0; i < clients; i++) {
        if (pthread_create(&thread[i], NULL, client, NULL) != 0) {
            return 1;
        }
    }

    for (i = 0; i < clients; i++) {
        pthread_join(thread[i], NULL);
    }

    end = now();

    if (count == 0) {
        fprintf(stderr, "no replies\n");
        return 1;
    }

    qsort(taken, count, sizeof(double), compare);

    printf("count=%d code=%d rate=%.0f p50=%.0f p99=%.0f\n", count, code,
           count / (end - start) * 1e6, taken[count / 2],
           taken[(int) (count * 0.99)]);

    return 0;
}
