
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * For many.t and large.t: very many clients at a time, or a next hop for them.
 *
 *     many clients PORT NUMBER
 *         All are greeted before the first one sends a message.  Prints
 *         "<number> <reply>" of each reply that ended a transaction, ids taken
 *         out.
 *
 *     many sink PORT [EXTENSION...]
 *         Takes all messages, a kilobyte at a time; at SIGTERM prints
 *         "connections C most M messages N", where M were open at a time.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>


#define BUFFER    1024
#define KINDS     64
#define EVENTS    256

/* connected, and not greeted yet */
#define AHEAD     100

/* nobody waits for longer than that */
#define PATIENCE  60000


typedef enum {
    GREETING = 0,
    EHLO,
    READY,                       /* until all the others are */
    MAIL,
    RCPT,
    DATA,
    FINAL,
    QUIT,
    GONE,
    SERVED                       /* a connection of the sink's */
} state_e;


typedef struct {
    int       fd;
    state_e   state;
    int       data;              /* sink: reads a message */
    long      chunk;             /* ... what is left of BDAT's */
    int       quit;              /* ... has been told QUIT: as good as closed */
    size_t    len;
    char      in[BUFFER];
} end_t;


static struct {
    char      text[BUFFER];
    int       number;
} kinds[KINDS];

static volatile sig_atomic_t  stop;
static int                    ep;
static int                    nready, ngone, number;
static char                   greeting[BUFFER] = "250 sink.example\r\n";
static long                   connections, most, open_now, messages;


static void
fatal(const char *what)
{
    perror(what);
    exit(2);
}


static void
terminate(int signo)
{
    (void) signo;
    stop = 1;
}


static void
say(end_t *e, const char *text)
{
    ssize_t  len = (ssize_t) strlen(text);

    /* no more than an empty socket takes */

    if (write(e->fd, text, (size_t) len) != len && e->state != SERVED) {
        fprintf(stderr, "write: %s\n", strerror(errno));
    }
}


static void
watch(end_t *e)
{
    struct epoll_event  ev;

    ev.events = EPOLLIN;
    ev.data.ptr = e;

    if (epoll_ctl(ep, EPOLL_CTL_ADD, e->fd, &ev) == -1) {
        fatal("epoll_ctl");
    }
}


static void
count(const char *reply)
{
    int    i;
    char  *id, text[BUFFER];

    snprintf(text, sizeof(text), "%s", reply);

    id = strstr(text, " id=");

    if (id) {
        *id = '\0';
    }

    for (i = 0; i < KINDS - 1; i++) {

        if (kinds[i].number == 0) {
            strcpy(kinds[i].text, text);
        }

        if (strcmp(kinds[i].text, text) == 0) {
            break;
        }
    }

    kinds[i].number++;
}


static void
gone(end_t *e)
{
    close(e->fd);
    e->state = GONE;
    ngone++;
}


/* a reply of one line, or the last line of one */

static void
client_reply(end_t *e, char *line)
{
    if (line[0] != '\0' && strlen(line) > 3 && line[3] == '-') {
        return;
    }

    switch (e->state) {

    case GREETING:
        say(e, "EHLO client.example\r\n");
        e->state = EHLO;
        break;

    case EHLO:
        e->state = READY;
        nready++;
        break;

    case MAIL:
        e->state = RCPT;
        break;

    case RCPT:
    case DATA:

        if (line[0] != '2' && line[0] != '3') {
            count(line);
            say(e, "QUIT\r\n");
            e->state = QUIT;
            break;
        }

        if (e->state == RCPT) {
            say(e, "DATA\r\n");
            e->state = DATA;
            break;
        }

        say(e, "Subject: one of many\r\n\r\nhello\r\n.\r\n");
        e->state = FINAL;
        break;

    case FINAL:
        count(line);
        say(e, "QUIT\r\n");
        e->state = QUIT;
        break;

    case READY:
        count(line);
        /* fall through */

    default: /* QUIT */
        gone(e);
    }
}


static void
sink_line(end_t *e, char *line)
{
    if (e->data) {

        if (strcmp(line, ".") == 0) {
            e->data = 0;
            messages++;
            say(e, "250 2.0.0 taken\r\n");
        }

        return;
    }

    if (strncmp(line, "EHLO", 4) == 0) {
        say(e, greeting);

    } else if (strncmp(line, "BDAT ", 5) == 0) {
        e->chunk = atol(line + 5);

    } else if (strncmp(line, "DATA", 4) == 0) {
        e->data = 1;
        say(e, "354 go on\r\n");

    } else if (strncmp(line, "RCPT", 4) == 0) {
        say(e, "250 2.1.5 recipient\r\n");

    } else if (strncmp(line, "QUIT", 4) == 0) {
        e->quit = 1;
        open_now--;
        say(e, "221 2.0.0 bye\r\n");

    } else {
        say(e, "250 2.1.0 fine\r\n");
    }
}


static void
readable(end_t *e)
{
    char     *line, *end;
    ssize_t   n;

    n = read(e->fd, e->in + e->len, sizeof(e->in) - 1 - e->len);

    if (n <= 0) {

        if (n == -1 && errno == EAGAIN) {
            return;
        }

        if (e->state == SERVED) {
            open_now -= !e->quit;
            close(e->fd);
            free(e);
            return;
        }

        count(e->state == QUIT ? "closed before 221" : "closed");
        gone(e);
        return;
    }

    e->len += (size_t) n;
    e->in[e->len] = '\0';
    line = e->in;

    while (e->state != GONE) {

        if (e->chunk) {
            n = e->in + e->len - line;

            if (n > e->chunk) {
                n = e->chunk;
            }

            e->chunk -= n;
            line += n;

            if (e->chunk) {
                break;
            }

            messages++;
            say(e, "250 2.0.0 taken\r\n");
            continue;
        }

        end = strstr(line, "\r\n");

        if (end == NULL) {
            break;
        }

        *end = '\0';

        if (e->state == SERVED) {
            sink_line(e, line);

        } else {
            client_reply(e, line);
        }

        line = end + 2;
    }

    e->len -= (size_t) (line - e->in);
    memmove(e->in, line, e->len);
}


static void
address(struct sockaddr_in *sin, unsigned host, int port)
{
    memset(sin, 0, sizeof(*sin));
    sin->sin_family = AF_INET;
    sin->sin_addr.s_addr = htonl(host);
    sin->sin_port = htons((in_port_t) port);
}


static void
begin(end_t *e, int i, int port)
{
    int                 on = 1;
    struct sockaddr_in  from, to;

    e->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (e->fd == -1) {
        fatal("socket");
    }

    /* of many addresses, so that each has ports enough */

    address(&from, 0x7f020001 + (unsigned) (i % 64), 0);
    address(&to, INADDR_LOOPBACK, port);

    setsockopt(e->fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &on,
               sizeof(on));
    setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    if (bind(e->fd, (struct sockaddr *) &from, sizeof(from)) == -1) {
        fatal("bind");
    }

    if (connect(e->fd, (struct sockaddr *) &to, sizeof(to)) == -1) {
        fatal("connect");
    }

    watch(e);
}


static void
turn(end_t *listener)
{
    int                 i, n, on = 1, ask = 0;
    end_t              *e;
    struct epoll_event  events[EVENTS];

    n = epoll_wait(ep, events, EVENTS, PATIENCE);

    if (n == 0) {
        fprintf(stderr, "nothing has happened for a minute\n");
        exit(2);
    }

    for (i = 0; i < n; i++) {
        e = events[i].data.ptr;

        if (e == listener) {
            ask = 1;

        } else {
            readable(e);
        }
    }

    /* behind what was closed before it came */

    if (!ask) {
        return;
    }

    e = calloc(1, sizeof(end_t));

    if (e == NULL) {
        fatal("calloc");
    }

    e->fd = accept(listener->fd, NULL, NULL);
    e->state = SERVED;

    if (e->fd == -1) {
        fatal("accept");
    }

    setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(e);
    say(e, "220 sink.example ESMTP\r\n");
    connections++;

    if (++open_now > most) {
        most = open_now;
    }
}


static int
clients(int port)
{
    int     i;
    end_t  *ends;

    ends = calloc((size_t) number, sizeof(end_t));

    if (ends == NULL) {
        fatal("calloc");
    }

    /* no more than the backlog has room for */

    for (i = 0; i < number; i++) {
        begin(&ends[i], i, port);

        while (i - nready - ngone > AHEAD) {
            turn(NULL);
        }
    }

    while (nready + ngone < number) {
        turn(NULL);
    }

    for (i = 0; i < number; i++) {

        if (ends[i].state == READY) {
            ends[i].state = MAIL;
            say(&ends[i], "MAIL FROM:<a@example.com>\r\n"
                          "RCPT TO:<b@example.com>\r\n");
        }
    }

    while (ngone < number) {
        turn(NULL);
    }

    for (i = 0; i < KINDS && kinds[i].number; i++) {
        printf("%d %s\n", kinds[i].number, kinds[i].text);
    }

    free(ends);

    return 0;
}


static void
announce(int n, char **extensions)
{
    int     i;
    size_t  len;

    strcpy(greeting, n ? "250-sink.example\r\n" : "250 sink.example\r\n");

    for (i = 0; i < n; i++) {
        len = strlen(greeting);
        snprintf(greeting + len, sizeof(greeting) - len, "250%c%s\r\n",
                 i < n - 1 ? '-' : ' ', extensions[i]);
    }
}


static int
sink(int port)
{
    int                 on = 1;
    end_t               listener;
    struct sockaddr_in  sin;

    memset(&listener, 0, sizeof(listener));

    listener.fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    address(&sin, INADDR_LOOPBACK, port);

    if (bind(listener.fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(listener.fd, 128) == -1)
    {
        fatal("listen");
    }

    watch(&listener);
    printf("ready\n");
    fflush(stdout);

    while (!stop) {
        turn(&listener);
    }

    printf("connections %ld most %ld messages %ld\n", connections, most,
           messages);

    return 0;
}


int
main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, terminate);

    ep = epoll_create1(0);

    if (ep == -1) {
        fatal("epoll_create1");
    }

    if (argc >= 3 && strcmp(argv[1], "sink") == 0) {
        announce(argc - 3, argv + 3);
        return sink(atoi(argv[2]));
    }

    if (argc == 4 && strcmp(argv[1], "clients") == 0) {
        number = atoi(argv[3]);
        return clients(atoi(argv[2]));
    }

    fprintf(stderr, "usage: many clients PORT NUMBER"
                    " | many sink PORT [EXTENSION...]\n");

    return 2;
}
