
# Copyright (C) ngx_mail_smtp_ext authors

# make            the module for the nginx of the distribution:
#                 build/packaged/ngx_mail_smtp_ext_module.so
# make deps       installs what building and testing need (root, Debian)
# make test       deps, build, the whole suite;  TESTS="t/server t/docs.t"
#                 runs a part, NGINX=... another nginx:
#                     packaged   the distribution's (default)
#                     a path     a binary with our module linked in
#                     a version  1.26.3: built from source first
#                     a suite    sid: its packages, unpacked in build/
# make unit       the C tests alone
# make asan       the suite on nginx with AddressSanitizer and UBSan
# make matrix     the suite on each supported nginx, built from source
# make fuzz       the parsers with libFuzzer, FUZZ_TIME seconds each (20);
#                 TARGETS="dot line" runs a part
# make exams      exams and scanners of others, from EXAMS=folder and
#                 MIRROR=folder (see t/tools/exams.sh); TESTS="fuzz testssl"
#                 runs a part
# make bench      how fast mail data is scanned, beside memchr();
#                 TESTS=services: what logins and hooks cost
# make demo       a server to try, on loopback ports;  make demo-stop ends it
# make style      the house rules that a machine can check
# make docs-check every example of the documentation through nginx -t
# make install    the .so into MODULES_DIR (DESTDIR is honoured)
# make clean      removes build/ and demo/

NGINX =		packaged
TESTS =		t
JOBS =		2

BUILD =		$(CURDIR)/build
MODULE =	$(BUILD)/packaged/ngx_mail_smtp_ext_module.so
MODULES_DIR =	/usr/lib/nginx/modules

export JOBS

# nginx takes a variable of this name for a list of inherited sockets

unexport NGINX


.PHONY:	all deps test unit asan matrix fuzz exams bench demo demo-stop style \
	docs-check install clean

all:
	@t/tools/build-packaged.sh $(CURDIR) $(BUILD)/packaged

deps:
	@t/tools/deps.sh

test:	deps
	@t/tools/test.sh $(NGINX) $(TESTS)

unit:	deps
	@t/tools/test.sh $(NGINX) t/unit

asan:	deps
	@t/tools/test.sh asan $(TESTS)

matrix:	deps
	@t/tools/matrix.sh $(TESTS)

fuzz:	all
	@t/tools/deps.sh fuzz
	@t/tools/build-source.sh --sources-only 1.22.1
	@t/tools/fuzz.sh $(TARGETS)

exams:	all
	@t/tools/exams.sh $(filter-out t,$(TESTS))

bench:	all
	@t/tools/bench.sh $(filter-out t,$(TESTS))

demo:
	@t/tools/demo.sh start

demo-stop:
	@t/tools/demo.sh stop

style:
	@perl t/tools/style.pl

docs-check: deps
	@t/tools/test.sh $(NGINX) t/docs.t

install: all
	@t/tools/install.sh $(MODULE) $(DESTDIR)$(MODULES_DIR)

clean:
	@t/tools/demo.sh stop-if-running
	rm -rf build demo
