#!/bin/sh
# Reports runs of a hardware configuration to runstate-bridge: keeps each result in a spool, signs it, and sends it until it is stored.
#
#   report-run.sh run  [options] -- COMMAND [ARG ...]   run it, keep its result, send what is kept
#   report-run.sh add  [options]                        keep a result given by options, send what is kept
#   report-run.sh send [options]                        send what is kept
#
#   what was run   --configuration GUID --policy-version N [--exit-code N | --state S] [--output FILE|-] [--error FILE]
#                  [--run-id ID] [--completed-at INSTANT] [--device-name NAME] [--os-version V] [--upn U]
#   who reports    --device-id ID --key-file FILE (base64), or --certificate FILE --private-key FILE (PEM); [--tenant ID]
#   where to       --url URL --spool DIR [--ca-file FILE] [--proxy URL]
#   how            [--max-age-h 720] [--max-mb 50] [--no-wait] [--quiet] [--pass-exit-code] [--config FILE]
#   A --config file holds NAME=VALUE lines of the same names. Options on the command line win.
#
# Exit codes: 0 nothing is left to send, 75 kept and to be sent later, 65 a result was refused for good (see SPOOL/refused),
# 64 wrong use, 73 the spool cannot be written.
#
# Needs curl, openssl and a POSIX system; iconv, if it is there, for output in UTF-16. The device's key is never on a command
# line: the HMAC is built here from SHA-256, because openssl takes such keys only as an argument, which other users can read.
set -u

MAX_TEXT_BYTES=49152        # of output and of error: 2.5 times that, twice, is less than the 256 KiB the bridge takes
CONTEXT_BYTES=4096          # read, but not kept, around the middle that is left out
KEPT_BYTES=65536            # at least, of beginning and end of what is longer: as UTF-16 twice as much as is read of it
PIPES_TRIES=30              # of a tenth of a second: a command has ended; something it started holds its output open
MAX_BATCH_BYTES=3670016     # the bridge takes 4 MiB
MAX_BATCH_ENTRIES=100
MAX_ANSWER_BYTES=1048576
FIRST_BACKOFF_S=15
FIRST_JITTER_S=8
LONGEST_BACKOFF_S=900
LONGEST_WAIT_S=86400        # a time further ahead comes from a wrong clock, or from a proxy that is not well
LOCK_TRIES=6
CLOCK_TOLERANCE_S=250       # the bridge accepts 300

USER_UMASK=$(umask)
USER_LC_ALL=${LC_ALL-}
umask 077
LC_ALL=C
export LC_ALL

say() { printf 'report-run: %s\n' "$*" >&2; }
fail() { # CODE MESSAGE
  say "$2"
  exit "$1"
}
now_s() { date -u +%s; }
random_below() { # N: a random number from 0 to N - 1
  echo $(($(od -An -N3 -tu4 /dev/urandom) % ($1 > 0 ? $1 : 1)))
}

# ---- Options ----

URL='' SPOOL='' CONFIGURATION='' POLICY_VERSION='' EXIT_CODE='' STATE='' OUTPUT_FILE='' ERROR_FILE='' RUN_ID='' COMPLETED_AT=''
DEVICE_NAME='' OS_VERSION='' UPN='' TENANT='' DEVICE_ID='' KEY_FILE='' CERTIFICATE='' PRIVATE_KEY='' CA_FILE='' PROXY=''
MAX_AGE_H=720 MAX_MB=50 NO_WAIT=no QUIET=no PASS_EXIT_CODE=no

set_option() { # NAME VALUE
  case $1 in
    url) URL=$2 ;;
    spool) SPOOL=$2 ;;
    configuration) CONFIGURATION=$2 ;;
    policy-version) POLICY_VERSION=$2 ;;
    exit-code) EXIT_CODE=$2 ;;
    state) STATE=$2 ;;
    output) OUTPUT_FILE=$2 ;;
    error) ERROR_FILE=$2 ;;
    run-id) RUN_ID=$2 ;;
    completed-at) COMPLETED_AT=$2 ;;
    device-name) DEVICE_NAME=$2 ;;
    os-version) OS_VERSION=$2 ;;
    upn) UPN=$2 ;;
    tenant) TENANT=$2 ;;
    device-id) DEVICE_ID=$2 ;;
    key-file) KEY_FILE=$2 ;;
    certificate) CERTIFICATE=$2 ;;
    private-key) PRIVATE_KEY=$2 ;;
    ca-file) CA_FILE=$2 ;;
    proxy) PROXY=$2 ;;
    max-age-h) MAX_AGE_H=$2 ;;
    max-mb) MAX_MB=$2 ;;
    no-wait) NO_WAIT=$(yes_or_no "$2") ;;
    quiet) QUIET=$(yes_or_no "$2") ;;
    pass-exit-code) PASS_EXIT_CODE=$(yes_or_no "$2") ;;
    *) fail 64 "there is no option $1" ;;
  esac
}
yes_or_no() { case $1 in no | false | 0) echo no ;; *) echo yes ;; esac }

read_config() { # FILE
  [ -r "$1" ] || fail 64 "cannot read the configuration $1"
  carriage_return=$(printf '\r')
  byte_order_mark=$(printf '\357\273\277')
  while IFS= read -r line || [ -n "$line" ]; do
    line=${line%"$carriage_return"}
    line=${line#"$byte_order_mark"}
    case $line in
      '' | '#'*) ;;
      *=*) set_option "${line%%=*}" "${line#*=}" ;;
      *) fail 64 "not NAME=VALUE in $1: $line" ;;
    esac
  done <"$1"
}

# Reads the files first, so that the command line wins; sets SHIFTED to how many arguments were options.
parse_options() {
  expecting_config=no
  for argument in "$@"; do
    [ "$expecting_config" = no ] || read_config "$argument"
    expecting_config=no
    case $argument in
      --) break ;;
      --quiet) QUIET=yes ;;
      --config) expecting_config=yes ;;
    esac
  done
  [ "$QUIET" = no ] || exec >/dev/null 2>&1
  SHIFTED=0
  while [ $# -gt 0 ]; do
    case $1 in
      --) SHIFTED=$((SHIFTED + 1)) && return ;;
      --no-wait | --quiet | --pass-exit-code) set_option "${1#--}" yes ;;
      --*)
        [ $# -gt 1 ] || fail 64 "$1 needs a value"
        [ "$1" = --config ] || set_option "${1#--}" "$2"
        SHIFTED=$((SHIFTED + 1))
        shift
        ;;
      *) fail 64 "not an option: $1" ;;
    esac
    SHIFTED=$((SHIFTED + 1))
    shift
  done
}

is_id() { case $1 in '' | *[!A-Za-z0-9._-]*) false ;; *) [ ${#1} -le 128 ] ;; esac }
is_number() { case $1 in '' | *[!0-9]*) false ;; *) [ ${#1} -le 10 ] ;; esac }
is_readable() { [ -f "$1" ] && [ -r "$1" ]; }

check_sender() {
  for tool in curl openssl awk od; do
    command -v $tool >/dev/null || fail 64 "$tool is not installed"
  done
  case $URL in
    *[?#\ ]*) fail 64 '--url has no query, fragment or space' ;;
    http://?* | https://?*) ;;
    *) fail 64 '--url must say where the bridge is, with http:// or https://' ;;
  esac
  [ -n "$SPOOL" ] || fail 64 '--spool must name a directory'
  case $SPOOL in /*) ;; *) SPOOL=$PWD/$SPOOL ;; esac
  for number in "$MAX_AGE_H" "$MAX_MB"; do
    is_number "$number" && [ "$number" -gt 0 ] || fail 64 '--max-age-h and --max-mb are numbers above 0'
  done
  case $TENANT in *[!a-z0-9-]*) fail 64 '--tenant has characters of a-z 0-9 -' ;; esac
  [ -z "$CA_FILE" ] || is_readable "$CA_FILE" || fail 64 "cannot read $CA_FILE"
  if [ -n "$CERTIFICATE" ]; then
    read_certificate
  else
    [ -n "$KEY_FILE" ] || fail 64 'give --device-id and --key-file, or --certificate and --private-key'
    is_readable "$KEY_FILE" || fail 64 "cannot read $KEY_FILE"
    key_bytes=$(decode_key | wc -c)
    [ "$key_bytes" -ge 16 ] && [ "$key_bytes" -le 64 ] || fail 64 "$KEY_FILE does not hold a key in base64"
    ALGORITHM=hmac-sha256
  fi
  is_id "$DEVICE_ID" || fail 64 'a device id has 1 to 128 characters of A-Z a-z 0-9 . _ -'
}

check_run() {
  case $CONFIGURATION in *[!0-9A-Fa-f-]*) fail 64 '--configuration must be a GUID' ;; esac
  printf %s "$CONFIGURATION" | grep -Eiqx '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' || fail 64 '--configuration must be a GUID'
  is_number "$POLICY_VERSION" || fail 64 '--policy-version must be a number'
  [ -z "$EXIT_CODE" ] || is_number "${EXIT_CODE#-}" || fail 64 '--exit-code must be a number'
  [ -z "$RUN_ID" ] || is_id "$RUN_ID" || fail 64 'a run id has 1 to 128 characters of A-Z a-z 0-9 . _ -'
  case $STATE in
    '' | unknown | success | fail | scriptError | pending | notApplicable) ;;
    *) fail 64 '--state is one of unknown success fail scriptError pending notApplicable' ;;
  esac
  [ "$ACTION" = run ] || [ -n "$EXIT_CODE$STATE" ] || fail 64 'give --exit-code or --state'
  for file in "$OUTPUT_FILE" "$ERROR_FILE"; do
    [ -z "$file" ] || [ "$file" = - ] || is_readable "$file" || fail 64 "cannot read $file"
  done
}

# ---- The spool: SPOOL/<order>-<run id>.json, one result in one line each ----

# A name no other process ever has, also after a restart: the process id, when it started, and the boot.
process_name() { # PID
  boot=$(cut -c1-8 /proc/sys/kernel/random/boot_id 2>/dev/null)
  started=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20)
  echo "$1.${started:-0}.${boot:-0}"
}

is_alive() { # PROCESS_NAME; without /proc, a name older than a day is of a process that is gone
  kill -0 "${1%%.*}" 2>/dev/null || return 1
  [ "$(process_name "${1%%.*}")" = "$1" ] || return 1
  case $1 in *.0.0) [ -z "$(find "$SPOOL/work.$1" -prune -mtime +0 2>/dev/null)" ] ;; esac
}

# What instances that were killed left: raw output, too.
remove_leftovers() {
  for work in "$SPOOL"/work.*; do
    is_alive "${work##*/work.}" || rm -rf "$work"
  done
}

exit_on_signals() {
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

open_spool() {
  SELF=$(process_name $$)
  WORK=$SPOOL/work.$SELF
  trap 'rm -rf "$WORK" "$SPOOL/lock.$SELF"' EXIT
  exit_on_signals
  mkdir -p "$SPOOL/refused" 2>/dev/null && remove_leftovers && mkdir -p "$WORK" 2>/dev/null && echo 2>/dev/null >"$WORK/probe" ||
    fail 73 "cannot write the spool $SPOOL"
  chmod 700 "$SPOOL" 2>/dev/null
}

# Announces itself, then looks for others: of two that come at once at most one goes on. A file is only ever removed by its
# owner or because its owner is gone, and names do not come again, so a crash leaves nothing that has to be taken over.
lock_spool() {
  tries=0
  while [ $tries -lt $LOCK_TRIES ]; do
    true 2>/dev/null >"$SPOOL/lock.$SELF" || return 1
    others=no
    for lock in "$SPOOL"/lock.*; do
      owner=${lock##*/lock.}
      [ "$owner" != "$SELF" ] && [ -e "$lock" ] || continue
      if is_alive "$owner"; then others=yes; else rm -f "$lock"; fi
    done
    [ $others = yes ] || return 0
    rm -f "$SPOOL/lock.$SELF"
    tries=$((tries + 1))
    sleep $((1 + $(random_below 2)))
  done
  return 1
}

# Prints names, oldest first: as many as fit into one batch.
list_oldest() {
  ls -ln "$SPOOL" | awk -v entries=$MAX_BATCH_ENTRIES -v bytes=$MAX_BATCH_BYTES '
    /^-/ && $NF ~ /^[0-9]+-.*\.json$/ { used += $5 + 1; if (++n > entries || (n > 1 && used > bytes)) exit; print $NF }'
}

# Removes results that are too old, and the oldest of what is too much. A name of before 2020 comes from a clock that was not set.
prune() { # DIRECTORY
  ls -ln "$1" | awk -v now="$(now_s)" -v age="$MAX_AGE_H" -v megabytes="$MAX_MB" '
    /^-/ && $NF ~ /^[0-9]+-.*\.json$/ { name[++n] = $NF; size[n] = $5 }
    END {
      for (i = n; i > 0; i--) {
        total += size[i]
        since = name[i] + 0
        if (total > megabytes * 1048576 || (since > 1577836800 && now - since > age * 3600)) print name[i]
      }
    }' | while read -r name; do
    rm -f "$1/$name" "$1/$name.answer"
    say "dropped $name: older than $MAX_AGE_H h, or beyond $MAX_MB MB"
  done
}

# ---- What was printed, as text ----

# An awk program: bytes as numbers from 0 to 255, 256 where some are left out, become the inside of a JSON string in UTF-8.
#   masking   1 to mask what looks like a BIOS password. These are the rules of the service: src/domain/masking has them with
#             their reasons, in files and functions of the same names, and test/vectors/masking.json holds both to the same.
#   head      how many bytes before the middle that is left out, if any; tail: the 1-based number of the first byte after it;
#             left_out: how many bytes are left out. What stands between head and tail is read all the same: it may say that a
#             password follows.
# Without byte order mark and control characters; each run of bytes that are not UTF-8 becomes U+FFFD. For awks that know no
# intervals, look-around or characters beyond bytes: mawk, gawk, BusyBox and the original.
TEXT_PROGRAM='
  # ---- Bytes to text ----
  function flush() { if (bad) keep_text("\357\277\275"); bad = 0 }
  function keep_text(s) { line = line s; size += length(s); unseen = s == "\001" }
  function put(s) { flush(); keep_text(s); if (pending) settle() }
  function settle() { tail_at = size + 1; pending = 0 }
  function abandon() { if (have) bad = 1; have = need = 0; if (pending) settle() }
  function byte(b) {
    if (b == 256) { abandon(); put("\n"); return }
    if (++bytes == head + 1) head_end = size + 1
    if (bytes == tail) { if (have) pending = 1; else settle() }
    if (need && b >= low && b <= high) {
      sequence = sequence CHAR[b]; low = 128; high = 191
      if (++have == need) {
        if (sequence != "\357\273\277" || size) put((sequence in PRIVATE) ? PRIVATE[sequence] : sequence)
        have = need = 0
      }
      return
    }
    abandon()
    low = 128; high = 191
    if (b == 9 || b == 10 || b == 13 || (b >= 32 && b < 127)) put(CHAR[b])
    else if (b >= 194 && b <= 244) {
      need = b < 224 ? 2 : b < 240 ? 3 : 4; have = 1; sequence = CHAR[b]
      if (b == 224) low = 160; if (b == 237) high = 159; if (b == 240) low = 144; if (b == 244) high = 143
    } else if (b >= 128) bad = 1
    else if (!bad && (b == 27 || !unseen)) put(b == 27 ? "\177" : "\001")
  }
  # Characters that the search tells apart become one byte each, of those that are in no text.
  function private(codes, first, n, i, code) {
    n = split(codes, PIECES, " ")
    for (i = 1; i <= n; i++) {
      code = hex(PIECES[i])
      sequence = code < 2048 ? CHAR[192 + int(code / 64)] CHAR[128 + code % 64] : CHAR[224 + int(code / 4096)] CHAR[128 + int(code / 64) % 64] CHAR[128 + code % 64]
      PRIVATE[sequence] = WORKING[code] = CHAR[first]
      UTF8[CHAR[first++]] = sequence
    }
  }
  BEGIN {
    for (i = 1; i < 256; i++) CHAR[i] = sprintf("%c", i)
    private("201c 201d 201e 201f ab bb", 2)
    private("202f", 8)
    private("2018 2019 201a 201b 2039 203a", 14)
    private("2010 2011 2012 2013 2014 2015 2212 fe58 fe63 ff0d", 20)
    private("a0 3000", 30)
    private("2000 2001 2002 2003 2004 2005 2006 2007 2008 2009 200a", 245)
    split("( ) [ ] { }", PIECES, " ")
    OPENS[")"] = "("; OPENS["]"] = "["; OPENS["}"] = "{"
    n = split("&quot; \" &apos; \047 &lt; < &gt; > &amp; & &equals; = &colon; :", PIECES, " ")
    for (i = 1; i < n; i += 2) ENTITY[PIECES[i]] = PIECES[i + 1]
    ENTITY["&nbsp;"] = " "
    for (i = 0; i < 64; i++) SIXTY_FOUR[substr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", i + 1, 1)] = i
    for (TWO[0] = i = 1; i < 16; i++) TWO[i] = TWO[i - 1] * 2
  }
  { for (i = 1; i <= NF; i++) byte($i + 0); text = text line; line = "" }
  END {
    abandon(); flush(); text = text line
    set_text(text)
    if (masking) find_segments()
    if (!head_end || !tail_at) write(1, N + 1)
    else {
      write(1, head_end)
      printf "\\n[... %s bytes left out ...]\\n", left_out
      write(tail_at, N + 1)
    }
  }

  # ---- Reading. T is the text, L the same in lower case, N its length; LO and HI are what to mask: from, and before ----
  # Functions that read something end with where they stopped reading, or 0 if it is not there.
  function add(from, to) { LO[++ranges] = from; HI[ranges] = to; return to }
  function char(p) { return substr(T, p, 1) }
  function before(p, n) { return p > n ? substr(L, p - n, n) : substr(L, 1, p - 1) }
  function is_masked(p) { return substr(T, p, 8) == "[masked]" }
  function blanks(p) {
    while (match(substr(T, p, 64), /^[ \t\010\036\037\365-\377]+/)) p += RLENGTH
    return p
  }
  function space(p, lines) {
    p = blanks(p)
    for (lines = 0; lines < 3; lines++) {
      if (!match(substr(T, p, 99), /^[ \t\036]*[`^\\]?[ \t]*\r?\n(>>[ \t]?|[ \t]*[+][ \t]|[ \t]*[0-9]*[ \t]*[|][ \t])?/)) break
      p = blanks(p + RLENGTH)
    }
    return p
  }
  function quote(p, s) {
    s = substr(L, p, 12)
    if (s !~ /^["\\`^&\047\002-\007\016-\023]/) return ""
    if (match(s, /^"""?[a-z0-9\200-\364]/)) return substr(s, 1, RLENGTH - 1)
    if (match(s, /^(\\*"|\\+\047|[`^]"|&(quot|apos|#34|#39|#x22|#x27);|\\+u002[27]|[\002-\007\016-\023\047])/)) return substr(s, 1, RLENGTH)
    return ""
  }
  function quote_before(p, n, q) {
    for (n = 6; n > 0; n--) if (p > n) { q = quote(p - n); if (length(q) == n) return q }
    return ""
  }
  function closes(p, q, c) {
    c = char(p)
    if (q == "" || c == "") return 0
    if (q ~ /^[\002-\007]$/) return c ~ /["\002-\007]/
    if (q ~ /^[\016-\023]$/) return c ~ /[\047\016-\023]/
    return substr(L, p, length(q)) == q ? length(q) : 0
  }
  function line_end(p) { return match(substr(T, p, 1024), /[\r\n]/) ? p + RSTART - 1 : (N + 1 < p + 1024 ? N + 1 : p + 1024) }
  function is_inner(p) { return p <= N && char(p) !~ /[])} \t\r\n,;:|&<>+\036]/ }
  function closing(q, from, to, p, s, c) {
    for (p = from; p < to; p++) {
      s = substr(L, p, to - p)
      if (q == "\"") { if (!match(s, /["\\`]/)) return 0 }
      else if (q == "\047") { if (!match(s, /[\047\\]/)) return 0 }
      else if (q ~ /^[\002-\007]$/) { if (!match(s, /["\002-\007]/)) return 0 }
      else if (q ~ /^[\016-\023]$/) { if (!match(s, /[\047\016-\023]/)) return 0 }
      else { RSTART = index(s, q); if (!RSTART) return 0 }
      p += RSTART - 1
      c = char(p)
      if (q != "\"" && q != "\047") { C1 = p; C2 = p + length(q); return 1 }
      if (c == "\\" || c == "`") {
        if (char(p + 1) == q && is_inner(p + 2)) p++
        else if (c == "\\" && char(p + 1) == "\\") p++
      } else {
        if (char(p + 1) != q || (p == from && !is_inner(p + 2))) { C1 = p; C2 = p + 1; return 1 }
        p++
      }
    }
    return 0
  }
  function quoted(p, q, from, to, s) {
    if (char(p) == "@" && match(substr(T, p, 80), /^@["\047][ \t]*\r?\n/)) {
      I1 = p + RLENGTH; O1 = p; s = substr(T, I1, 1024)
      if (char(p + 1) == "\"" ? match(s, /(^|\n)"@/) : match(s, /(^|\n)\047@/)) { I2 = I1 + RSTART + RLENGTH - 3; O2 = I2 + 2 }
      else O2 = I2 = I1 + length(s)
      return 1
    }
    q = quote(p)
    if (q == "") return 0
    from = p + length(q); to = line_end(from); O1 = p; I1 = from
    if (closing(q, from, to) || (q == "\"" && closing("\002", from, to) && char(C1) == "\002") || (q ~ /^[\002-\007]$/ && closing("\"", from, to))) { I2 = C1; O2 = C2; return 1 }
    if (match(substr(T, to, 2), /^\r?\n/)) {
      s = to + RLENGTH
      if (closing(q, s, line_end(s)) && !is_inner(C2)) { I2 = C1; O2 = C2; return 1 }
    }
    I2 = O2 = to
    return 1
  }
  function bare(p, e, s) {
    if (is_masked(p)) return p + 8
    for (e = p; e - p < 2048;) {
      s = substr(L, e, 256)
      if (match(s, /^[^ \t\n\r\010\036\037\365-\377"\047\002-\004&\\`]+/)) e += RLENGTH
      else if (s ~ /^[\\`][ \t][a-z0-9\200-\364]/) e += 2
      else if (s ~ /^[\\`]/ || (s ~ /^&/ && s !~ /^&(quot|apos|#34|#39|#x22|#x27|lt|gt);/)) e++
      else break
    }
    if (e > p) while (match(substr(T, e, 256), /^["\047][^] \t\n\r"\047,;)}][^ \t\n\r"\047]*/)) e += RLENGTH
    return e
  }
  function is_option(p) { return substr(L, p, 40) ~ /^([-\024-\035][-\024-\035]?[a-z]|\/[a-z]+[:=])/ }
  function one(p, loose, e) {
    if (quoted(p)) return add(O1, O2)
    if (!loose || (e = bare(p)) == p) return 0
    add(p, char(e - 1) == "," && e - p > 1 ? e - 1 : e)
    return e
  }
  function further(e, limit, comma, p, was, next_e) {
    for (limit = e + 2000;;) {
      comma = char(e - 1) == ","
      p = blanks(e)
      if (!comma) { if (char(p) != "," && char(p) != "+") break; p++ }
      p = space(p)
      if (p > limit || is_option(p)) break
      was = ranges
      next_e = one(p, comma)
      if (!next_e || substr(T, next_e, 40) ~ /^[ \t]*[:=]/) { ranges = was; break }
      e = next_e
    }
    return e
  }
  function list(opened, p, close_char, limit, depth, item, c, e) {
    limit = N < opened + 2000 ? N + 1 : opened + 2000
    for (depth = item = 1; p < limit;) {
      c = char(p)
      if (is_masked(p)) { add(p, p + 8); p += 8 }
      else if (is_option(p) && before(p, 32) ~ /[\r\n][ \t]*$/) break
      else if (quoted(p)) { p = add(O1, O2); item = 0 }
      else if (c == close_char) { p++; if (!--depth) break }
      else if (c ~ /[[({]/) { if (c == OPENS[close_char]) depth++; p++ }
      else if (c ~ /[ \t\r\n,;@$\036]/) { if (c ~ /[,;\n]/) item = 1; p++ }
      else {
        e = p + (match(substr(T, p, 2000), /^[^] \t\r\n,;()[{}"\047\002\003]+/) ? RLENGTH : 1)
        if (item && substr(T, e, 64) ~ /^[ \t]*[],)\r\n]/) add(p, e)
        item = 0
        p = e
      }
    }
    return p
  }
  function values(p, loose, s) {
    s = substr(L, p, 80)
    if (s ~ /^\[[a-z][a-z0-9.]*(\[\])?\][ \t\r\n]*["\047(@]/ && !is_masked(p)) {
      match(s, /^\[[a-z][a-z0-9.]*(\[\])?\]/)
      p = blanks(p + RLENGTH)
      s = substr(L, p, 80)
    }
    if (match(s, /^([@$]?\(|@\{)/)) return list(p, p + RLENGTH, s ~ /^@\{/ ? "}" : ")")
    if (s ~ /^\[[ \t\r\n]*(["\0470-9]|\[masked\])/) return list(p, p + 1, "]")
    s = one(p, loose)
    return s ? further(s) : 0
  }

  # ---- Words ----
  function made_up(w) {
    w = tolower(w)
    if (length(w) < 4 || length(w) > 128) return 0
    if (w ~ /^[0-9]+$/) return length(w) > 5 && length(w) < 13
    if (w !~ /[!#$%^&*+?~@=]/ && (w !~ /[0-9]/ || w !~ /[a-z\200-\364]/)) return 0
    if (w !~ /[a-z\200-\364]/ || w ~ /^(0x[0-9a-f]+|v?[0-9]+([.:\/\\-][a-z0-9_][a-z0-9_]?[a-z0-9_]?[a-z0-9_]?)+|e[0-9][0-9][0-9]+|kb[0-9][0-9][0-9][0-9][0-9][0-9][0-9]?)$/) return 0
    if (w ~ /^[0-9]+(st|nd|rd|th|[smhdx%]|ms|min|sec|bit|bytes?|chars?|[kmg]i?b)?$/) return 0
    if (w ~ /^(utf|sha|md|aes|rsa|pkcs|base|win|x|crypt|ecc|ntlmv?|tls|tpm|hmac|des|fips|os|dpapi)[-_#]?[0-9][0-9]?[0-9]?[0-9]?[a-z0-9_]?[a-z0-9_]?[a-z0-9_]?$/) return 0
    if (w ~ /^[a-z0-9_.~-]+[.](bin|exe|txt|ini|xml|json|ya?ml|log|csv|ps[md]?1|vbs|hta|cmd|bat|sh|cab|cer|pem|pfx|dll|cs|js|ts|py|cpp|cctk)(:[0-9]+)*$/) return 0
    if (w ~ /^([a-z][a-z+.-]+:\/\/|[a-z]:[\\\/]|[.\/~]?[.\/~]?[\\\/]|[[$%@!{<-]|[a-z0-9_.-]+[=(])/) return w ~ /^[a-z0-9_.-]+=/ && match(w, /=/) > 33
    return w !~ /^[a-z\200-\364]+([\047\017\/_&+-][a-z\200-\364]+)*[!?]*$/
  }
  function word_end(p, e, s) {
    if (is_masked(p)) return p + 8
    e = bare(p)
    if (e == p || e - p >= 160) return 0
    s = substr(T, p, e - p)
    if (match(s, /([.][.]+|[].,;:)}>])+$/)) s = substr(s, 1, RSTART - 1)
    return made_up(s) && tolower(s) !~ /^[a-z0-9_]*(password|passwd|pwd)[0-9]?[0-9]?$/ ? p + length(s) : 0
  }
  function is_state(p) {
    return substr(L, p, 60) ~ /^(not?|none|null|nil|true|false|yes|on|off|set|unset|notset|is|was|are|were|has|had|have|must|should|can|cannot|could|may|will|would|did|does|do|and|or|for|to|in|of|with|the|a|an|at|by|if|when|enabled?|disabled?|installed|present|absent|missing|empty|blank|required|changed?|cleared|unchanged|protected|invalid|valid|incorrect|correct|wrong|accepted|rejected|refused|failed|failure|fail|error|success|successful|successfully|succeeded|completed?|done|ok|unknown|n\/a|skipped|verified|matche[sd]|match|mismatch|mismatched|supported|unsupported|optional|default|hidden|shown|expired|active|inactive|locked|unlocked|frozen|configured|pending|took|takes|finished|started|running|returned|returns|threw|exited|exit|ended|already|policy|check|checked|prompt|please|provided|supplied|given|found|ja|nein|nicht|gesetzt|aktiviert|deaktiviert|oui|non|si|s\303\255)[].,;:)"\047\003\017}]*([ \t\r\n\036]|$)/
  }
  function is_stated(s) {
    return tolower(s) ~ /^.?(not?|none|null|true|false|yes|on|off|is|un)?[ _-]?(set|installed|enabled|disabled|present|required|supported|configured|success|successful|failed|empty|blank|unknown|valid|invalid)?["\047\017\003]?$/
  }
  function is_punctuation(p) { return substr(T, p, 8) ~ /^([])|;,:=}>&\024-\035~-]+([ \t\r\n]|$)|[]);,}]|[.][.]+([ \t\r\n]|$))/ }

  # ---- Names. SN, SS, SE: the name, its place; SF: what it is; SQ: the quotation mark before it ----
  function site(p, e, b, n, c, low) {
    SS = p; SE = e
    low = p - 64
    while (SS > 1 && SS > low) {
      c = substr(L, SS - 1, 1)
      if (c ~ /[a-z0-9_.\200-\364]/ || (c ~ /[-\024-\035]/ && substr(L, SS - 2, 1) ~ /[a-z0-9_\200-\364]/ && SS > 2)) SS--
      else break
    }
    SN = substr(L, SS, SE - SS)
    SF = "bare"; SQ = ""
    b = before(SS, 40); c = substr(b, length(b)); n = length(b) > 1 ? substr(b, length(b) - 1, 1) : ""
    if (c ~ /[-\024-\035]/) { SF = "dash"; SQ = quote_before(n ~ /[-\024-\035]/ ? SS - 2 : SS - 1) }
    else if (c == "/" && n !~ /[a-z0-9_\200-\364\/.:<]/) { SF = "slash"; SQ = quote_before(SS - 1) }
    else if (c == "\\" || c == "/" || b ~ /env:$/) SF = "path"
    else if (c == "<" || b ~ /<\/?[a-z0-9_.-]+:$/ || b ~ /&lt;$/) SF = "element"
    else if (c ~ /[$%:]/) SF = "variable"
    else SQ = quote_before(SS)
  }
  function is_target() { return before(SS, 64) ~ /((^|[^a-z0-9_])(setx|(set|new)-item|si)|-path)[ \t]+[^ \t\r\n|;]*$/ }
  function starts_line() { return before(SS, 40) ~ /(^|[\r\n;{,(])[ \t$#+-]*((set|export|let|var)[ \t]+)?"?$/ && (SS <= 41 || before(SS, 40) ~ /[\r\n;{,(][ \t$#+-]*((set|export|let|var)[ \t]+)?"?$/) }
  function ends_line(p) { return substr(T, p, 64) ~ /^[ \t]*([\r\n;}]|$)/ }
  function ends_soon(p) { return line_end(p) - p <= 64 }

  function read_option(p, s, was) {
    was = closes(SE, SQ)
    if (was > 0) { p = read_argument(SE + was); return p ? p : read_joined(SE, SQ) }
    p = blanks(SE)
    if (char(p) ~ /[=:]/) return read_behind_sign(p + 1)
    if (quote(SE) != "") return values(SE, 0)
    p = space(SE)
    if (p == SE || p > N || is_option(p) || is_punctuation(p)) return 0
    if (SF == "slash" && SN !~ /passw|passphrase|passcode/) return values(p, word_end(p) > 0)
    return is_state(p) ? 0 : values(p, 1)
  }
  function read_behind_sign(b, p, e) {
    p = space(b)
    if (p > N) return 0
    if ((e = read_joined(b, SQ)) > 0) return e
    if (p > b && is_option(p)) return 0
    if (SQ != "" && quote(p) == "") {
      for (e = p; e <= N && e < p + 512; e++) {
        if (char(e) ~ /[\r\n]/) break
        if (closes(e, SQ) > 0 || (char(e) ~ /[ \t]/ && substr(L, e + 1, 40) ~ /^([-\024-\035][-\024-\035]?|\/)[a-z][a-z]+([=: \t\r\n]|$)/)) {
          if (e > p) add(p, e)
          return e
        }
      }
    }
    return values(p, 1)
  }
  function read_joined(p, q, n, s) {
    n = q == "" ? 0 : closes(p, q)
    s = substr(L, p + n, 300)
    if (n > 0) { if (!match(s, /^[ \t]*[+&.][ \t]*/)) return 0 }
    else if (s !~ /^(["\047]?[{%])/ || !match(s, /^[^"\047\002\003\r\n]*["\047\002\003][)]?[ \t]*([-\024-\035]f|%|,|[.]format)[ \t]*[(]?/)) return 0
    p += n + RLENGTH
    return values(p, is_masked(p))
  }
  function read_argument(p) {
    p = space(p)
    if (char(p) ~ /[,=:]/) p = space(p + 1)
    return quoted(p) ? add(O1, O2) : 0
  }
  function read_quoted_name(q, p, sign, s, e, was) {
    q = quote(SE)
    if (q == "") return 0
    if (quote_before(SS) == "") {
      s = before(SS, 40)
      for (p = length(s); p > 0 && substr(s, p, length(q)) != q; p--);
      if (!p || substr(s, p + length(q)) !~ /^[a-z0-9 _.\\:\200-\364-]*$/) return 0
    }
    p = SE + length(q)
    if (substr(L, p, 40) ~ /^\]([.][a-z0-9_]+)?[ \t]*=/) { match(substr(L, p, 40), /^\]([.][a-z0-9_]+)?/); p += RLENGTH }
    p = space(p)
    if (!match(substr(T, p, 2), /^(=>|[:=,])/)) return 0
    sign = char(p)
    p = space(p + RLENGTH)
    if (substr(T, p, 8) ~ /^(\[[ \t\r\n]*\]|\{[ \t\r\n]*\})/) return 0
    was = ranges
    e = values(p, sign != ",")
    if (!e || ranges == was) { ranges = was; return 0 }
    if (sign == "," && substr(T, e, 16) ~ /^[ \t]*[:=]/) { ranges = was; return 0 }
    if (sign != "," && substr(T, p, 2) !~ /[[@(]/) {
      s = substr(T, LO[was + 1], HI[was + 1] - LO[was + 1])
      ranges = was
      return s ~ /^(null|true|false)([^a-z0-9_]|$)/ ? 0 : add(LO[was + 1], HI[was + 1])
    }
    return e
  }
  function read_assigned(p, sign, s, e, was) {
    p = blanks(SE + (char(SE) ~ /[}%]/))
    sign = char(p)
    if (sign !~ /[=:]/) return 0
    if (SN ~ /(^|[^a-z_])pass$/ && SF == "bare" && SQ == "" && quote(SE + 1) == "") return 0
    if (SF == "bare" && SQ != "" && sign == "=") return read_behind_sign(p + 1)
    if (char(p + 1) ~ /[=:]/) return 0
    if (closes(p + 1, SQ) > 0) return read_joined(p + 1, SQ)
    p = blanks(p + 1)
    if (match(substr(T, p, 24), /^!!?[a-zA-Z0-9_]*[ \t]+/)) p += RLENGTH
    if ((e = read_below(p)) > 0) return e
    s = substr(L, p, 64)
    if (s ~ /^[[({<][ \t]*[^[ \t\r\n"\047\002\004\016({@$&\\`]/ && s !~ /^\[[a-z][a-z0-9_.]*(\[\])?\][ \t\r\n]*["\047(@$]/ && !is_masked(p)) return read_bare_list(p)
    if (SN ~ /^(old)?pwd$/ && substr(L, p, 256) ~ /^(\/|[a-z]:\\)([a-z0-9_.-]+[\\\/]?)*[ \t]*([\r\n]|$)/) return 0
    was = ranges
    e = values(p, 0)
    if (e && ranges > was) return e
    if (p > N || is_state(p) || char(p) ~ /[[ \t\r\n*<({]/) return 0
    e = bare(p)
    if (e == p) return 0
    s = sign == "=" && p == SE + 1
    if (!s && substr(T, p, e - p) ~ /^([-\024-\035.?]+|[0-9][0-9]?)$/) return 0
    if (starts_line() && ((made_up(substr(T, p, e - p)) && ends_soon(e)) || (sign == "=" && SF == "bare"))) return read_rest(p)
    return s || (starts_line() && ends_line(e)) ? add(p, e) : 0
  }
  function read_rest(p, s, e) {
    s = substr(T, p, line_end(p) - p > 512 ? 512 : line_end(p) - p)
    e = length(s)
    if (match(s, /[ \t]+$/)) e = RSTART - 1
    if (match(s, /[ \t][&|;]/) && RSTART <= e) e = RSTART - 1
    if (match(s, /[ \t][a-zA-Z0-9_.-]+=/) && RSTART <= e) e = RSTART - 1
    return add(p, p + e)
  }
  function read_target(p, b) {
    b = SE + length(quote(SE))
    p = space(b)
    return p == b || p > N || is_option(p) || is_state(p) || is_punctuation(p) ? 0 : values(p, 1)
  }
  function read_named_value(s, n, p) {
    s = substr(L, SE, 300); p = SE
    if (match(s, /^\\*["\047]?[])]?[ \t]*[,;]?[ \t\r\n]*/)) { p += RLENGTH; s = substr(L, p, 300) }
    for (n = 0; n < 2; n++) if (match(s, /^([-\024-\035\/](t|type|propertytype|scope)[ \t]+[a-z0-9_]+|["\047]?(type|datatype|kind|xsi:type)["\047]?[ \t]*[:=][ \t]*["\047][a-z0-9_:.-]+["\047])[ \t]*,?[ \t\r\n]*/)) { p += RLENGTH; s = substr(L, p, 300) }
    if (!match(s, /^(\/d[ \t]+|[-\024-\035]?\\*["\047]?(new)?-?(value|val|data|newvalue|currentvalue|attributevalue)\\*["\047]?([ \t]*[=:]|[ \t])[ \t\r\n]*)/)) return 0
    p += RLENGTH
    return is_option(p) || char(p) == "<" ? 0 : values(p, 1)
  }
  function read_value_before(s, q, v) {
    if (SQ == "") return 0
    s = before(SS, 360)
    if (!match(s, /["\047]?(value|val|data|newvalue)["\047]?[ \t]*[:=][ \t]*("[^"\r\n]+"|\047[^\047\r\n]+\047)[ \t]*,?[ \t\r\n]*["\047]?(name|key|id)["\047]?[ \t]*[:=][ \t]*["\047][a-z0-9_ .-]*$/)) return 0
    v = SS - length(s) + RSTART - 1
    match(substr(L, v, 360), /^["\047]?(value|val|data|newvalue)["\047]?[ \t]*[:=][ \t]*/)
    v += RLENGTH
    match(substr(T, v, 360), /^("[^"\r\n]+"|\047[^\047\r\n]+\047)/)
    add(v, v + RLENGTH)
    return SE
  }
  function read_element(s, e, from) {
    s = substr(L, SE, 210)
    if (!match(s, /^[^<>\r\n]*(>|&gt;)/) ) return read_named_value()
    e = index(substr(s, 1, RLENGTH), "&gt;")
    s = e ? substr(s, 1, e + 3) : substr(s, 1, RLENGTH)
    if (s ~ /\/(>|&gt;)$/) return read_named_value()
    from = SE + length(s)
    s = substr(L, from, 2000)
    for (e = from; match(s, /^([^<&\r\n]+|&)/) && s !~ /^&lt;/; s = substr(L, e, 2000)) e += RLENGTH
    return e > from && substr(T, from, e - from) ~ /[^ \t]/ ? add(from, e) : 0
  }
  function read_call(p, e, n) {
    if (char(SE) == "(") return SN ~ /(setnewpassword|setbiospassword)$/ ? 0 : values(SE, 1)
    if (SN !~ /-/) return 0
    e = SE
    for (n = ranges; ranges - n < 3; e = p) {
      p = space(e)
      if (p == e || p > N || is_option(p) || is_state(p) || is_punctuation(p)) break
      p = values(p, 1)
      if (!p) break
    }
    return ranges > n ? e : 0
  }

  # ---- Sentences, tables, lists, markup ----
  function likely(p, s) { # the end of a value and of what is masked of it; 0 if there is none
    if (char(p) ~ /[[({<]/ && !is_masked(p)) p++
    if (quoted(p)) {
      s = substr(L, I1, I2 - I1)
      if ((length(s) < 64 && s ~ /passw|pwd/) || is_stated(s) || s ~ /^[ \t\r\n]*$/ || length(s) > 256) return 0
      return add(O1, O2)
    }
    s = word_end(p)
    return s ? add(p, s) : 0
  }
  function read_sentence(p, s, was, e, n) {
    if (SN !~ /pass[_-]?w|passphrase|passcode|passkey|kennwort|pwd|psw|pw$/) return 0
    p = SE
    if (match(substr(T, p, 3), /^[]"\047\003\017})%]+/)) p += RLENGTH
    s = substr(L, p, 120)
    if (match(s, /^[ \t]*(=>|[-\024-\035]+>|\342\206\222|:=|===?|=|!=|:)[ \t]*/)) p += RLENGTH
    else if (s ~ /^[ \t]+[-\024-\035][ci]?(eq|ne|like|match)([^a-z0-9_]|$)/) { match(s, /^[ \t]+[-\024-\035][a-z]+[ \t]*/); p += RLENGTH }
    else if (s ~ /^[ \t]*,[ \t]*["\047a-z\200-\364]/) { if (char(SS - 1) != "[" || SS < 2) return 0; match(s, /^[ \t]*,[ \t]*/); p += RLENGTH }
    else if (match(s, /^([ \t]+(is|was|to|from|with|of|as|value|now|in|and|then|reg_[a-z0-9_]+))*[ \t]+/)) p += RLENGTH
    else return 0
    for (was = ranges; ranges - was < 8;) {
      e = likely(p)
      if (!e) break
      p = e
      if (match(substr(L, p, 60), /^([ \t]*,)?([ \t]+(to|and|or|then|into|by))?[ \t]*/)) p += RLENGTH
      if (p == e) break
    }
    return ranges > was ? HI[ranges] : 0
  }
  function read_below(p, n, e, was) {
    if (match(substr(T, p, 40), /^[|>][+-]?[0-9]?[ \t]*\r?\n/)) {
      e = p + RLENGTH; p = blanks(e)
      for (n = 0; n < 8 && match(substr(T, e, 600), /^[ \t]+[^\r\n]+/); n++) {
        e += RLENGTH
        if (!match(substr(T, e, 3), /^\r?\n[ \t]/)) break
        e += RLENGTH - 1
      }
      return n > 0 || e > p ? add(p, e) : 0
    }
    for (was = ranges; ranges - was < 64 && match(substr(T, p, 80), /^\r?\n[ \t]*-[ \t]+/); p = e) if (!(e = likely(p + RLENGTH))) break
    return ranges > was ? p : 0
  }
  function read_bare_list(p, s, was, from) {
    was = ranges
    match(substr(T, p, 512), /^[[({<][^][(){}<>\r\n]*/)
    s = substr(T, p, RLENGTH)
    for (from = p; match(s, /[^][(){}<> \t,;]+/); s = substr(s, RSTART + RLENGTH)) {
      if (made_up(substr(s, RSTART, RLENGTH))) add(from + RSTART - 1, from + RSTART - 1 + RLENGTH)
      from += RSTART + RLENGTH - 1
    }
    return ranges > was ? from : 0
  }
  function read_markup(s, i, p, within, n) {
    s = before(SS, 200)
    for (i = length(s); i > 0 && substr(s, i, 1) !~ /[<>]/; i--);
    within = i && substr(s, i, 1) == "<"
    if (!within && !index(s, "<")) return 0
    s = substr(L, SE, 600); p = SE
    if (within ? !match(s, /^[^<>\r\n]*>/) : !match(s, /^<\/[a-z0-9_:.-]+>/)) return 0
    if (substr(s, RLENGTH - 1, 2) == "/>") return 0
    p += RLENGTH
    for (n = 0; n < 3; n++) {
      s = substr(L, p, 300)
      if (within && match(s, /^[ \t\r\n]*<\/[^>]+>[ \t\r\n]*<\//)) break
      if (!match(s, within ? "^[ \t\r\n]*<[^<>!]+>" : "^[ \t\r\n]*<[^<>/!][^<>!]*>") || substr(s, RLENGTH - 1, 2) == "/>") break
      p += RLENGTH
    }
    if (!within && !n) return 0
    if (match(substr(T, p, 64), /^[ \t\r\n]+/)) p += RLENGTH
    if (substr(L, p, 9) == "<![cdata[") p += 9
    if (is_masked(p)) return add(p, p + 8)
    if (!match(substr(T, p, 512), /^[^]<\r\n]+/)) return 0
    s = substr(L, p, RLENGTH)
    i = p + RLENGTH
    sub(/^[ \t]+/, "", s); sub(/[ \t]+$/, "", s)
    if (s == "" || is_option(p) || is_stated(s) || s ~ /^([0-9][0-9]?[0-9]?|true|false)$/) return 0
    return add(p, i)
  }
  function read_complaint(s) {
    if (before(SS, 20) !~ /parameter( name)? ["\047\002\016]$/) return 0
    s = substr(L, SE, 240)
    if (is_option(SE) || !match(s, /^["\047\003\017][^"\047\002\003\016\017]*[^a-z0-9_](value|argument|convert|the|because|accepts)[ \t\r\n]+["\047\002\016]/)) return 0
    return values(SE + RLENGTH - 1, 0)
  }

  function read_site() {
    if (before(SS, 24) ~ /exception (setting|getting|calling) ["\047\002]?$/) return 0
    R = 0
    if (SF == "dash" || SF == "slash") return (R = read_option()) ? R : read_named_value()
    if (SF == "element") return (R = read_element()) ? R : read_markup()
    if (SN ~ /(^|[.:_-])(set|clear|reset|change|new|update|remove|unlock|enter|verify|check|test|assert|save|add)[a-z0-9_.-]*$/ && (R = read_call()) > 0) return R
    if ((R = read_quoted_name()) > 0) return R
    if (((SF == "path" && SN != "password") || is_target()) && (R = read_target()) > 0) return R
    if ((R = read_assigned()) > 0 || (R = read_named_value()) > 0 || (R = read_value_before()) > 0) return R
    if ((R = read_markup()) > 0 || (R = read_complaint()) > 0) return R
    return read_sentence()
  }
  # Where the name that begins at P ends; 0 if it is none.
  function name_end(p, s, b, e) {
    s = substr(L, p, 120); b = before(p, 30)
    if (!match(s, /^(pass[_-]?w[o0]rds?|passwd|pass[_-]?phrases?|passcodes?|passkeys?|passw(o|\303\266|\303\226)rter|passwort|kennwort|pwds?|pswd?|pass|secrets?|authorizationtoken|encryptionkey|sechandle|pw)([._-]?(old|new|current|previous|plain|text|plaintext|clear|secure|string|value|admin|setup|system|sys|hdd|bios|uefi|owner|user|master|list|array|candidates?|bytes|input|to[_-]?set|for[_-]?[a-z]+|str|enc|param|arg|entry|field|confirm|confirmation|again|repeat|retype|[0-9][0-9]?[0-9]?))*($|-$|-[^a-z\200-\364]|[^a-z0-9_\200-\364-])/)) return 0
    s = substr(s, 1, RLENGTH)
    if (s ~ /^pass([^_w-]|[_-][^w])/ && s !~ /^pass(wd|[_-]?phrase|code|key)/ && b ~ /(by|com|sur|tres|under|over)$/) return 0
    if (s ~ /^pw([^d]|$)/ && b !~ /(^|[^a-z0-9\200-\364]|bios|uefi|admin|setup|user|system|sys|hdd|supervisor|master|owner|old|new|current|[_-]|[$-][a-z]*)$/) return 0
    e = s ~ /-[^a-z0-9_\200-\364]$/ ? p + length(s) - 2 : s ~ /[^a-z0-9_\200-\364]$/ ? p + length(s) - 1 : p + length(s)
    if (match(substr(L, e, 6), /^\[[0-9][0-9]?[0-9]?\]/)) return e + RLENGTH
    s = substr(L, e, 40)
    if (s ~ /^[ \t]?#[0-9][0-9]?[0-9]?[ \t]*[:=(]/) { match(s, /^[ \t]?#[0-9]+/); return e + RLENGTH }
    return e
  }
  # Only prose numbers its passwords: "Password 2: x".
  function with_number(s) {
    s = substr(L, SE, 40)
    if (s !~ /^[ \t][0-9][0-9]?[ \t]*[:=(]/ || SN ~ /^pass$/ || (s ~ /^[ \t][0-9][0-9]?[:=(]/ && SF != "variable" && (SF != "bare" || is_target()))) return
    match(s, /^[ \t][0-9]+/)
    SE += RLENGTH
    SN = substr(L, SS, SE - SS)
  }
  function find_named(p, e, s) {
    for (p = 1; p <= N;) {
      s = substr(L, p, 1024)
      if (!match(s, /pass|pwd|psw|kennwort|secret|authorizationtoken|encryptionkey|sechandle|pw/)) { p += length(s) > 24 ? length(s) - 24 : 24; continue }
      p += RSTART - 1
      e = name_end(p)
      if (!e) { p += 2; continue }
      site(p, e)
      with_number()
      s = ranges
      e = read_site()
      if (!e) ranges = s
      p = e > p ? e : SE
    }
  }

  # ---- Calls of methods ----
  function arguments(p, limit, start, last, depth, c) {
    limit = N < p + 2000 ? N + 1 : p + 2000
    p = space(p); start = p; last = 0
    for (args = depth = 0; p < limit;) {
      c = char(p)
      if (quoted(p)) {
        if (!depth) { last = 1; AO1 = O1; AO2 = O2; AI1 = I1; AI2 = I2 }
        p = O2 > p ? O2 : p + 1
      } else if (c == ")" && !depth) return push_argument(start, p, last)
      else if (c == "," && !depth) { push_argument(start, p, last); last = 0; p = start = space(p + 1) }
      else {
        if (c ~ /[[({]/) depth++
        if (c ~ /[])}]/) depth--
        if (c ~ /[\r\n]/ && !depth && substr(T, p > 8 ? p - 8 : 1, p > 8 ? 8 : p - 1) !~ /[,(`][ \t]*$/) break
        p++
      }
    }
    return push_argument(start, p, last)
  }
  function push_argument(from, to, last) {
    args++
    if (last) { A1[args] = AO1; A2[args] = AO2; B1[args] = AI1; B2[args] = AI2; return args }
    while (to > from && char(to - 1) ~ /[ \t\r\n]/) to--
    A1[args] = B1[args] = from; A2[args] = B2[args] = to
    return args
  }
  function indirect(p, n) {
    if (match(substr(L, p, 200), /^\\*["\047]?[ \t]*([-\024-\035][a-z0-9_]+[ \t]*|@?\([ \t]*|@\{[ \t]*[a-z0-9_]*[ \t]*=?[ \t]*|[a-z0-9_]+[ \t]*=[ \t]*|call[ \t]+[a-z0-9_]+[ \t]*|[ \t])*/)) p += RLENGTH
    for (args = 0; args < 6 && quoted(p);) {
      args++
      A1[args] = O1; A2[args] = O2; B1[args] = I1; B2[args] = I2
      n = blanks(O2)
      if (char(n) != ",") break
      p = space(n + 1)
    }
  }
  function pick(which, from, parts, i, s, a, b, k, n, to) {
    if (parts != "" && args == 1) {
      a = B1[1]; b = B2[1]
      n = split(substr(T, a, b - a), PARTS, ",")
      if (b == a) return
      for (i = 1; i <= n; i++) {
        to = a + length(PARTS[i])
        k = i == n && PARTS[i] ~ /;$/ ? to - 1 : to
        if (index(parts, i) && (k > a || i < n)) add(a, k)
        a = to + 1
      }
      return
    }
    for (i = 1; i <= args; i++) {
      if (!index(which, i) && !(from && i >= from)) continue
      s = substr(L, A1[i], A2[i] - A1[i])
      if (s != "" && s !~ /^([$][a-z0-9_]+|null|0|""|\047\047)$/ && s !~ /^\(/) add(A1[i], A2[i])
    }
  }
  function find_calls(p, s, name, e) {
    for (p = 1; p <= N;) {
      s = substr(L, p, 1024)
      if (!match(s, /setnewpassword|setattribute|setbiosattributes|setbiossettings?|setbiospassword|savebiossettings|discardbiossettings|loaddefaultsettings|pscredential|networkcredential|x509certificate2|getbytes|buildandsign[a-z0-9_]*/)) { p += length(s) > 80 ? length(s) - 80 : 80; continue }
      if (RSTART + RLENGTH > 1000 && RSTART > 1 && p + 1024 <= N) { p += RSTART - 1; continue }
      name = substr(s, RSTART, RLENGTH); p += RSTART - 1; e = p + RLENGTH
      if (match(substr(L, e, 7), /^\]?::new/)) e += RLENGTH
      if (before(p, 1) ~ /[a-z0-9\200-\364]/ || substr(L, e, 1) ~ /[a-z0-9_\200-\364]/) { p = e; continue }
      s = blanks(e)
      if (char(s) == "(") arguments(s + 1); else indirect(e)
      p = e
      if (!args) continue
      if (name == "setnewpassword") pick("356", 0, "")
      else if (name == "setattribute") pick("3", 0, "")
      else if (name == "setbiosattributes") pick("", 5, "")
      else if (name ~ /^setbiossetting/) pick("3", 0, "3")
      else if (name == "setbiospassword") pick("", 0, "23")
      else if (name ~ /settings$/) pick("", 0, "1")
      else if (name == "pscredential") pick("", 2, "")
      else if (name == "getbytes") pick("1", 0, "")
      else if (name ~ /^build/) pick("24", 0, "")
      else pick("2", 0, "")
      if (A2[args] > p) p = A2[args]
    }
  }
  function find_secure_strings(p, s, h, n, from) {
    for (p = 1; p <= N; p += 22) {
      s = substr(L, p, 1024)
      if (!match(s, /convertto-securestring/)) { p += length(s) > 44 ? length(s) - 44 : 44; continue }
      p += RSTART - 1
      h = p
      for (n = 0; n < 4; n++) {
        s = before(h, 300); from = h - length(s)
        sub(/[ \t\r\n]+$/, "", s)
        if (s !~ (n ? ",$" : "[|]$")) break
        s = substr(s, 1, length(s) - 1)
        sub(/[ \t]+$/, "", s); sub(/\)+$/, "", s)
        if (!match(s, /("[^"\r\n]+"|\047[^\047\r\n]+\047|[^ \t\r\n"\047|;(),]+)$/)) break
        h = from + RSTART - 1
        add(h, h + RLENGTH)
      }
      h = space(p + 22)
      if (h == p + 22 && quote(h) == "") continue
      for (n = 0; n < 6 && match(substr(L, h, 80), /^[-\024-\035][a-z]+(:|[ \t\r\n])/); n++) h = space(h + (substr(L, h + RLENGTH - 1, 1) == ":" ? RLENGTH : RLENGTH - 1))
      while (substr(L, h, 40) ~ /^[$@]?\([ \t\r\n($@]*["\047\002]/) { match(substr(L, h, 2), /^[$@]?\(/); h = space(h + RLENGTH) }
      if (is_option(h)) continue
      if (quoted(h)) add(O1, O2)
      else if (h <= N && char(h) !~ /[()|;,{}:]/ && (n = bare(h)) > h) add(h, n)
    }
    if (L ~ /appendchar/) {
      for (p = 1; p <= N && match(substr(L, p), /("[^"\r\n]+"|\047[^\047\r\n]+\047)(\)?[.]tochararray\(\))?[^"\047\r\n]*appendchar/); p = h) {
        p += RSTART - 1; h = p + RLENGTH
        match(substr(L, p), /^("[^"\r\n]+"|\047[^\047\r\n]+\047)/)
        add(p, p + RLENGTH)
      }
    }
  }

  # ---- Vendor tools ----
  function value_end(p, kind, s) {
    s = substr(T, p, 1024)
    if (is_masked(p)) return p
    if (kind == "vbs" && substr(L, p, 128) ~ /^[^ \t\r\n]*(ascii|scancode|utf-16),/) return p
    if (kind == "line" || kind == "think") return match(s, /^[^"\047\002\003\r\n]+/) ? p + RLENGTH : p
    if (kind == "opcode") return match(s, /^[^"\047\002\003;\r\n]+/) ? p + RLENGTH : p
    if (kind == "curl") return match(s, /^[^ \t\r\n"\047]+/) ? p + RLENGTH : p
    if (kind == "word" || kind == "opcode word") return match(s, /^[^ \t\r\n"\047\002-\004;,)<]+/) ? p + RLENGTH : p
    if (kind == "quoted") return match(s, /^("[^"\r\n]+"?|\047[^\047\r\n]+\047?)/) ? p + RLENGTH : p
    if (kind == "host") return match(s, /^[^ \t\r\n\/@"\047<>]+@/) ? p + RLENGTH - 1 : p
    if (match(s, /^\\+"[^"\r\n]*"?/) || match(s, /^"([^"\\\r\n]|\\[^\r\n]|"")*"?/) || match(s, /^\047([^\047\r\n]|\047\047)*\047?/)) return p + RLENGTH
    if (match(s, /^[\002-\004][^\002\003\r\n]*[\002\003]?/)) return p + RLENGTH
    return match(s, /^[^ \t\r\n"\047\002-\004]+(["\047][^] \t\r\n"\047,;)}]+)*/) ? p + RLENGTH : p
  }
  # Whether a value of this kind may begin with C behind TEXT.
  function fits(kind, text, c) {
    if (kind ~ /^opcode/) return text !~ /password(type|encoding|setupdate)/
    if (kind == "hpq") return text ~ /[:=]$/ || c ~ /["\047\002-\004]/
    if (kind == "tight") return c !~ /[:= \t\r\n"\047\002-\004]/
    if (kind == "net") return c !~ /[\/* \t\r\n]/
    if (kind == "set") return c !~ /[-\024-\035|;#>:\r\n]/
    if (kind == "program") return c !~ /[-\024-\035\/ \t\r\n]/ && (text ~ /[:= \t]$/ || c ~ /["\047\002]/)
    return c !~ /[ \t\r\n]/
  }
  # On each line: the value after TRIGGER where CONTEXT stands before it.
  function rule(sign, context, trigger, kind, p, s, e, v, t) {
    if (L !~ sign) return
    for (p = 1; p <= N;) {
      s = substr(L, p, 1024)
      if (!match(s, trigger)) { p += length(s) > 400 ? length(s) - 400 : 400; continue }
      p += RSTART - 1; v = p + RLENGTH
      t = substr(L, p, v - p)
      s = before(p, 420)
      if (kind != "think" && match(s, /[\r\n][^\r\n]*$/)) s = substr(s, RSTART + 1)
      if ((context == "" || s ~ context) && fits(kind, t, char(v))) {
        e = value_end(v, kind)
        if (e > v) { add(v, e); p = e; continue }
      }
      p++
    }
  }
  function find_tools(ARG, PROG) {
    ARG = "(\"[^\"\r\n]*\"|\047[^\047\r\n]*\047|[^ \t\r\n\"\047]+)"
    PROG = "(srsetup[a-z0-9_]*|srwin|cfgwin|hpqpswd|hpqrepset|hpbiosupdrec|editcmos|amidewin[a-z0-9_]*|amisce|scewin[a-z0-9_]*|afuwin[a-z0-9_]*|sshpass|psexec|paexec|ipmitool|racadm|certutil|signtool|winrs|mstsc|schtasks)(64|32)?([.]exe)?[\"\047]?[ \t]"
    rule("[-\024-\035/]p=", "[.]exe[\"\047]?[ \t]", "[-\024-\035/]p=")
    rule("hpqpswd", "hpqpswd(64)?([.]exe)?[\"\047]?[ \t]", "[-\024-\035/]p([:=]|[ \t]*)", "hpq")
    rule("thinkbiosconfig", "thinkbiosconfig[a-z0-9_]*[.](hta|exe)[\"\047]?", "[\"\047\002-\004](key|pass)=", "think")
    rule("thinkbiosconfig", "thinkbiosconfig[a-z0-9_]*[.](hta|exe)[\"\047]?", "[ \t](key|pass)=")
    rule("set-hpbiossettingvalue", "", "set-hpbiossettingvalue[ \t]+" ARG "[ \t]+" ARG "[ \t]+", "set")
    rule("set-hpbiossettingdefaults[ \t]+([\"\047\002]|[^ \t\r\n]*[0-9])", "", "set-hpbiossettingdefaults[ \t]+", "set")
    if (L ~ /password[.]vbs/) {
      rule("password[.]vbs", "", "(config|setting)[a-z0-9_]*password[.]vbs[\"\047]?[ \t]+" ARG "[ \t]+" ARG "[ \t]+", "vbs")
      rule("password[.]vbs", "(^|[^g])$", "password[.]vbs[\"\047]?[ \t]+", "vbs")
      rule("password[.]vbs", "(^|[^g])$", "password[.]vbs[\"\047]?[ \t]+" ARG "[ \t]+", "vbs")
    }
    if (L ~ PROG) rule(PROG, PROG "([^\r\n]*[ \t])?[\"\047]?$", "[-\024-\035/](p|rp|pap|svp|sap|uac|psw|pw|apwd|spwd|upwd)([:=]|[ \t]*)", "program")
    rule("hpqpswd|sshpass", "(hpqpswd(64)?([.]exe)?|sshpass)[\"\047]?[ \t]([^\r\n]*[ \t])?$", "[-\024-\035/]p", "tight")
    rule("pass:", "[-\024-\035]pass(in|out)?[ \t]+[\"\047]?$", "pass:")
    rule("net[ \t]+user?", "(^|[^a-z0-9_])$", "net([.]exe)?[ \t]+user?[ \t]+([a-z*]:[ \t]+)?" ARG "[ \t]+(/[a-z0-9_]+(:[^ \t\r\n]+)?[ \t]+)?", "net")
    rule("://[^ \t\r\n/]+:[^ \t\r\n]+@", "", "[a-z][a-z0-9+.-]*://[^ \t\r\n/:@\"\047<>]*:", "host")
    rule("curl|wget|invoke-", "(curl|wget)([.]exe)?[ \t]([^\r\n]*[ \t])?$", "(-u[ \t]*|--(proxy-)?user[ =])[\"\047]?[^ \t\r\n:\"\047]+:", "curl")
    rule("authorization", "", "authorization[\"\047]?[ \t]*[:=][ \t]*[\"\047]?(basic|bearer)[ \t]+", "word")
    rule("parameterbinding", "", "parameterbinding\\(convertto-securestring\\):[ \t]*name=\"string\";[ \t]*value=")
    rule("accepts argument", "(passw|pwd|securestring)[^\r\n]*$", "accepts argument[ \t]+")
    rule("[.]import\\(", "", "[.]import\\([^,\r\n]+,[ \t]*", "quoted")
    rule("\\[501\\]", "", "\\[501\\][.]configuredvalue[ \t]*=[ \t]*")
    rule("<(utf-16|kbd)/>", "", "[\"\047\002\003]<(utf-16|kbd)/>([\"\047\002\003][ \t]*[+&][ \t]*[\"\047\002\003])?[ \t]?[ \t]?", "line")
    rule("<(utf-16|kbd)/>", "", "<(utf-16|kbd)/>([\"\047\002\003][ \t]*[+&][ \t]*[\"\047\002\003])?[ \t]?[ \t]?", "word")
    if (L ~ /wmiopcodepassword/) {
      rule("wmi", "", "[\"\047\002\003]wmiopcodepassword[a-z]*[0-9]*:([\"\047\002\003][ \t]*[+&][ \t]*[\"\047\002\003])?", "opcode")
      rule("wmi", "", "wmiopcodepassword[a-z]*[0-9]*:", "opcode word")
    }
    find_encodings()
  }
  function find_encodings(p, s, e, i, w, v) {
    if (L !~ /(ascii|scancode|utf-16),|,(asc|sca|utf-1)[a-z6]*,?[a-z]?$/) return
    for (p = 1; p <= N;) {
      s = substr(L, p, 1024)
      if (!match(s, /[, \t] ?(ascii|scancode|utf-16), ?[a-z][a-z]([^a-z0-9_]|$)|,(asc|asci|ascii|sca|scan|scanc|scanco|scancod|scancode|utf-1|utf-16),?[a-z]?$/)) { p += length(s) > 40 ? length(s) - 40 : 40; continue }
      p += RSTART - 1; e = p; s = substr(s, RSTART, RLENGTH); p += RLENGTH > 1 ? RLENGTH - 1 : 1
      if (s ~ /, ?or[^a-z0-9_]?$/ || (s ~ /^,(asc|sca|utf)[^,]*,?[a-z]?$/ && p < N)) continue
      s = before(e, 128)
      if (substr(T, e, 1) == ",") {
        match(s, /[^,"\047\002\003()\r\n]*$/)
        i = e - RLENGTH
        w = i > 1 ? char(i - 1) : ""
        if (w ~ /[,"\047\002\003(]/ && w != "") add(i, e)
        else if (match(s, /[^ \t\r\n,"\047\002\003()]+$/)) add(e - RLENGTH, e)
        if (w == ",") {
          s = before(i - 1, 140)
          match(s, /[^,"\047\002\003()\r\n]*$/)
          v = i - 1 - RLENGTH
          if (before(v, 12) ~ /(^|[^a-z0-9_])(pap|pop|smp|svp|[um](hdp|drp|nvp)[0-9]?[0-9]?|adrp[0-9]?[0-9]?),$/) add(v, i - 1)
        }
      } else if (substr(L, e, 24) ~ /^[ \t]+(ascii|scancode|utf-16),(us|fr|gr)([^a-z0-9_]|$)/ ) {
        if (!match(s, /[^ \t\r\n]+[ \t]*$/)) continue
        i = e - RLENGTH
        match(substr(T, i, 140), /^[^ \t\r\n]+/)
        add(i, i + RLENGTH)
        if (!match(before(i, 140), /[^ \t\r\n]+[ \t]+$/)) continue
        i -= RLENGTH
        match(substr(T, i, 140), /^[^ \t\r\n]+/)
        add(i, i + RLENGTH)
      }
    }
  }

  function find_all() {
    if (L !~ /pass|pw|psw|kennwort|secret|authorizationtoken|encryptionkey|sechandle|setattribute|setbios|settings|credential|x509certificate2|getbytes|buildandsign|appendchar|securestring|[-\024-\035\/]p=|hp|thinkbios|srsetup|srwin|cfgwin|editcmos|amidewin|amisce|scewin|afuwin|psexec|paexec|ipmitool|racadm|certutil|signtool|winrs|mstsc|schtasks|net[ \t]|:\/\/|curl|wget|invoke-|authorization|parameterbinding|import\(|\[501|utf-16|kbd|ascii|scancode|,asc|,sca|,utf/) return
    find_named()
    find_calls()
    find_secure_strings()
    find_tools()
  }

  # ---- Views: the same text read in other ways. VS and VE say where the characters of a view stand in the text itself. ----
  function find_in_views() {
    ranges = found = 0
    ORIGINAL = T
    VIEWED = 0
    HAS_UNSEEN = T ~ /[\001\177]|\302[\200-\237\255]|\330\234|\342\200[\213-\217\250-\256]|\342\201[\240-\257]|\357\273\277|\r[^\n]/
    search()
    if (HAS_UNSEEN) {
      if (cut("spaced")) search()
      restore()
      if (cut("plain")) search()
    }
    if (L ~ /[%&\\`^]|_x/ && cut("decoded")) search()
    if (cut("joined")) search()
    restore()
  }
  function search(i) {
    ranges = 0
    find_all()
    for (i = 1; i <= ranges; i++) {
      if (!VIEWED) { FOUND_FROM[++found] = LO[i]; FOUND_TO[found] = HI[i] }
      else if (HI[i] > LO[i]) { FOUND_FROM[++found] = VS[LO[i]]; FOUND_TO[found] = VE[HI[i] - 1] }
    }
    ranges = 0
  }
  function restore() { set_text(ORIGINAL); VIEWED = 0 }
  function set_text(text) { T = text; L = tolower(T); N = length(T) }

  # Replaces what KIND finds in the view; false if there is nothing.
  function cut(kind, p, s, from, k, w, by, cuts) {
    VIEW = ""; k = 0; cuts = 0; BEGUN = 1
    for (p = from = 1; p <= N;) {
      s = substr(L, p, 1024)
      if (!hit(kind, s, p)) { p += length(s) > 64 ? length(s) - 64 : 64; continue }
      if (RSTART > 900 && p + 1024 <= N) { p += RSTART - 1; continue }
      p += RSTART - 1; w = RLENGTH
      by = replaced(kind, substr(L, p, w), p)
      if (!SPAN) { p += w; continue }
      w = SPAN
      cuts++
      k = keep(from, p, k)
      if (by != "") { VIEW = VIEW by; WS[++k] = VIEWED ? VS[p] : p; WE[k] = VIEWED ? VE[p + w - 1] : p + w }
      p += w
      from = p
    }
    if (!cuts) return 0
    k = keep(from, N + 1, k)
    for (p = 1; p <= k; p++) { VS[p] = WS[p]; VE[p] = WE[p] }
    VIEWED = 1
    set_text(VIEW)
    return 1
  }
  function keep(from, to, k, p) {
    VIEW = VIEW substr(T, from, to - from)
    for (p = from; p < to; p++) { WS[++k] = VIEWED ? VS[p] : p; WE[k] = VIEWED ? VE[p] : p + 1 }
    return k
  }
  function hit(kind, s, p) {
    if (kind == "plain") return match(s, /\177\[[0-?]*[ -\/]*[@-~]|\177[]px^_][^\001\177\r\n]*\001?|[\001\177]|\302[\200-\204\206-\237\255]|\330\234|\342\200[\213-\217\252-\256]|\342\201[\240-\257]|\357\273\277/)
    if (kind == "spaced") return match(s, /\177\[[0-?]*[ -\/]*[@-~]|\177[]px^_][^\001\177\r\n]*\001?|[\001\177]|\302[\200-\237\255]|\330\234|\342\200[\213-\217\250-\256]|\342\201[\240-\257]|\357\273\277|\r[^\n]/)
    if (kind == "decoded") return match(s, /_x000d__x000a_<\/s>[ \t\r\n]*<s s="[a-z0-9_]+">|_x[0-9a-f][0-9a-f][0-9a-f][0-9a-f]_|\\+u[0-9a-f][0-9a-f][0-9a-f][0-9a-f]|\\+x[0-9a-f][0-9a-f]|%[2-7][0-9a-f]|&#[0-9][0-9][0-9]?[0-9]?;|&#x[0-9a-f][0-9a-f][0-9a-f]?[0-9a-f]?;|&(quot|apos|lt|gt|amp|equals|colon|nbsp);|[`^][a-z0-9=:_-]/)
    return match(s, /\r?\n/)
  }
  function replaced(kind, s, p, code, width) {
    SPAN = length(s)
    if (kind == "plain") return ""
    if (kind == "spaced") {
      if (s ~ /^\r/) { SPAN = 1; return "\n" }
      return s ~ /^(\302\205|\342\200[\250\251])/ ? "\n" : " "
    }
    if (kind == "joined") {
      code = substr(T, BEGUN, p - BEGUN); BEGUN = p + SPAN
      gsub(/[\200-\277]/, "", code)
      width = length(code)
      if ((width != 79 && width != 80 && width != 119 && width != 120) || char(p - 1) ~ /[ \t]/ || char(p + SPAN) ~ /^[ \t\r\n]?$/) SPAN = 0
      return ""
    }
    if (s ~ /^_x000d__x000a_</) return "\n"
    if (s ~ /^[`^]/) { SPAN = 1; return "" }
    if (s in ENTITY) return ENTITY[s]
    if (s ~ /^&#[0-9]/) code = substr(s, 3) + 0
    else { gsub(/^(_x|\\+[ux]|%|&#x)/, "", s); gsub(/[_;]$/, "", s); code = hex(s) }
    return code == 0 ? "\001" : code < 128 ? sprintf("%c", code) : (code in WORKING) ? WORKING[code] : "\356"
  }
  function hex(s, i, n) {
    for (i = 1; i <= length(s); i++) n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
    return n
  }

  # ---- Base64 ----
  function find_encoded(p, s, n, e, tokens, i, kept) {
    kept = found; tokens = 0
    for (p = 1; p <= N;) {
      if (!match(substr(T, p, 1024), /[A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/][A-Za-z0-9+\/]+/)) { p += 1024 - 16; continue }
      p += RSTART - 1
      for (e = p; match(substr(T, e, 1024), /^[A-Za-z0-9+\/]+/); e += RLENGTH);
      if (p > 1 && char(p - 1) ~ /[_-]/) { p = e; continue }
      n = e
      while (match(substr(T, n, 3), /^\r?\n/)) {
        s = n + RLENGTH
        for (i = s; match(substr(T, i, 1024), /^[A-Za-z0-9+\/]+/); i += RLENGTH);
        if (i == s) break
        n = i
        if (i - s < 16) break
      }
      tokens++; TA[tokens] = p; TB[tokens] = e; TC[tokens] = n
      p = n
    }
    for (i = 1; i <= tokens; i++) {
      found = kept
      if (TC[i] > TB[i] && says_secret(substr(T, TA[i], TC[i] - TA[i]))) e = TC[i]
      else if (says_secret(substr(T, TA[i], TB[i] - TA[i]))) e = TB[i]
      else continue
      while (char(e) == "=") e++
      ENCODED_FROM[++encoded] = TA[i]; ENCODED_TO[encoded] = e
    }
    found = kept
    for (i = 1; i <= encoded; i++) { FOUND_FROM[++found] = ENCODED_FROM[i]; FOUND_TO[found] = ENCODED_TO[i] }
  }
  function says_secret(token, i, n, bits, v, b, units, wide, text, was, kept) {
    gsub(/[\r\n]/, "", token)
    n = length(token)
    for (i = 1; i <= n; i += 64) {
      PIECE = substr(token, i, 64)
      for (v = 1; v <= length(PIECE); v++) CODES[i + v - 1] = SIXTY_FOUR[substr(PIECE, v, 1)]
    }
    v = bits = units = wide = 0
    for (i = 1; i <= n; i++) {
      v = v * 64 + CODES[i]
      bits += 6
      if (bits < 8) continue
      bits -= 8
      b = int(v / TWO[bits]); v -= b * TWO[bits]
      BYTES[++units] = b
      if (!b) { if (units % 2) return 0; wide++ }
      else if (!wide && units > 4 && (b < 9 || (b > 13 && b < 32) || b == 127)) return 0
    }
    text = was = ""
    for (i = 1; i <= units; i += wide ? 2 : 1) {
      b = BYTES[i] + (wide && i < units ? 256 * BYTES[i + 1] : 0)
      if (b < 9 || (b > 13 && b < 32) || b == 127) return 0
      was = was (b < 128 ? CHAR[b] : !wide ? CHAR[b] : (b in WORKING) ? WORKING[b] : "\356")
      if (length(was) > 256) { text = text was; was = "" }
    }
    text = text was
    if (!wide && text ~ /[\200-\377]/) {
      was = text
      gsub(/[\302-\337][\200-\277]|[\340-\357][\200-\277][\200-\277]|[\360-\364][\200-\277][\200-\277][\200-\277]/, "", was)
      if (was ~ /[\200-\377]/) return 0
      for (i in PRIVATE) gsub(i, PRIVATE[i], text)
    }
    was = T; kept = found
    set_text(text)
    find_in_views()
    text = found > 0
    set_text(was)
    found = kept
    return text
  }

  # ---- Masking ----
  function find_repeated(i, s, n, k, p, last, c, at) {
    last = found; n = 0
    for (i = 1; i <= last && n < 32; i++) {
      if (FOUND_TO[i] - FOUND_FROM[i] < 6 || FOUND_TO[i] - FOUND_FROM[i] > 130) continue
      s = substr(T, FOUND_FROM[i], FOUND_TO[i] - FOUND_FROM[i])
      sub(/^[\\`^]*["\047\002-\004\016\017]+/, "", s); sub(/[\\`^]*["\047\002-\004\016\017;]+$/, "", s)
      if (length(s) < 6 || !made_up(s) || (s in REPEATED)) continue
      REPEATED[s] = 1; n++
      k = length(s)
      for (p = 1; (at = index(substr(T, p), s)) > 0; p += k) {
        p += at - 1
        c = tolower(p > 1 ? char(p - 1) : " ") tolower(char(p + k))
        if (c !~ /[a-z0-9\200-\364]/) { FOUND_FROM[++found] = p; FOUND_TO[found] = p + k }
      }
    }
  }
  function without_mark(i, s, q) {
    s = substr(L, FOUND_FROM[i], 12)
    if (!match(s, /^["\047\002\003]?<(utf-16|kbd)\/>/)) return
    q = s ~ /^["\047\002\003]/
    FOUND_FROM[i] += RLENGTH
    if (q && char(FOUND_TO[i] - 1) ~ /["\047\002\003]/) FOUND_TO[i]--
    if (FOUND_TO[i] <= FOUND_FROM[i]) FOUND_TO[i] = FOUND_FROM[i] - 1
  }
  function is_masked_already(s) {
    if (length(s) <= 8 || !index(s, "[masked]")) return 0
    gsub(/\[masked\]/, "", s)
    gsub(/[$][A-Za-z0-9_.]+\(/, "", s)
    return s !~ /[A-Za-z0-9\200-\364]/
  }
  # The segments to mask: GS to GE, in order.
  function find_segments(i, p, done, last) {
    find_in_views()
    find_repeated()
    find_encoded()
    for (i = 1; i <= found; i++) {
      without_mark(i)
      if (FOUND_TO[i] < FOUND_FROM[i] || is_masked_already(substr(T, FOUND_FROM[i], FOUND_TO[i] - FOUND_FROM[i]))) continue
      if (!(FOUND_FROM[i] in LONGEST) || LONGEST[FOUND_FROM[i]] < FOUND_TO[i]) LONGEST[FOUND_FROM[i]] = FOUND_TO[i]
    }
    done = 1; last = 0; segments = 0
    for (p = 1; p <= N + 1; p++) {
      if (!(p in LONGEST)) continue
      if (p >= done && p > last) { GS[++segments] = p; GE[segments] = LONGEST[p] }
      else if (segments && LONGEST[p] > GE[segments]) GE[segments] = LONGEST[p]
      if (LONGEST[p] > done) done = LONGEST[p]
      last = p
    }
  }

  # ---- Writing ----
  function replace(s, this, by, n, i, out) {
    n = split(s, PIECES, this)
    out = PIECES[1]
    for (i = 2; i <= n; i++) out = out by PIECES[i]
    return out
  }
  function write_plain(from, to, s, i) {
    for (; from < to; from += 512) {
      s = substr(T, from, to - from < 512 ? to - from : 512)
      if (s ~ /[\001-\010\016-\037\177\365-\377]/) {
        gsub(/[\001\177]/, "", s)
        if (s ~ /[\002-\010\016-\037\365-\377]/) for (i in UTF8) gsub(i, UTF8[i], s)
      }
      if (json) {
        s = replace(s, "[\\\\]", "\\\\"); s = replace(s, "[\"]", "\\\"")
        s = replace(s, "[\t]", "\\t"); s = replace(s, "[\n]", "\\n"); s = replace(s, "[\r]", "\\r")
      }
      printf "%s", s
    }
  }
  function write(from, to, i) {
    for (i = 1; i <= segments; i++) {
      if (GS[i] >= to) break
      if (GS[i] < from && GE[i] <= from) continue
      if (GS[i] > from) write_plain(from, GS[i])
      printf "%s", "[masked]"
      if (GE[i] > from) from = GE[i]
    }
    write_plain(from, to)
  }
'

to_text() { # MASKING [HEAD TAIL LEFT_OUT]; from bytes as od prints them
  awk -v masking="$1" -v head="${2-}" -v tail="${3-}" -v left_out="${4-}" -v json=1 "$TEXT_PROGRAM"
}
list_bytes() { od -An -v -tu1; }

to_utf8() { # FILE: changes it if it begins with a byte order mark of UTF-16
  case $(od -An -N2 -tx1 "$1" | tr -d ' ') in fffe | feff) ;; *) return ;; esac
  command -v iconv >/dev/null || return
  iconv -c -f UTF-16 -t UTF-8 "$1" >"$1.utf8" 2>/dev/null
  mv "$1.utf8" "$1"
}

text_member() { # NAME FILE: a text without passwords, and without its middle if it is long
  left_out=$(cat "$2.left-out" 2>/dev/null)
  left_out=${left_out:-0}
  to_utf8 "$2"
  bytes=$(($(wc -c <"$2")))
  half=$((MAX_TEXT_BYTES / 2))
  # What is no UTF-16 can be short after all.
  [ $bytes -ge $MAX_TEXT_BYTES ] || half=$((bytes / 2))
  read_bytes=$((half + CONTEXT_BYTES))
  printf ',"%s":"' "$1" || return
  if [ $bytes -le $MAX_TEXT_BYTES ] && [ "$left_out" -eq 0 ]; then
    list_bytes <"$2" | to_text 1
  elif [ $bytes -le $((2 * read_bytes)) ]; then
    list_bytes <"$2" | to_text 1 $half $((bytes - half + 1)) $((bytes - 2 * half + left_out))
  else
    { dd if="$2" bs=$read_bytes count=1 2>/dev/null | list_bytes && echo 256 && tail -c $read_bytes "$2" | list_bytes; } |
      to_text 1 $half $((read_bytes + CONTEXT_BYTES + 1)) $((bytes - 2 * half + left_out))
  fi && printf '"'
}

# ---- One result as JSON ----

member() { # NAME VALUE
  case $2 in
    *[!A-Za-z0-9\ ._:+/\(\)-]*) printf ',"%s":"%s"' "$1" "$(printf %s "$2" | list_bytes | to_text 0)" ;;
    *) printf ',"%s":"%s"' "$1" "$2" ;;
  esac
}

# Fails if anything of it cannot be written.
print_result() {
  printf '{"runId":"%s","deviceId":"%s","hardwareConfigurationId":"%s"' "$RUN_ID" "$DEVICE_ID" "$CONFIGURATION" &&
    printf ',"policyVersion":%s' "$(printf %s "$POLICY_VERSION" | sed 's/^0*\(.\)/\1/')" &&
    member deviceName "${DEVICE_NAME:-$(uname -n)}" &&
    member osVersion "${OS_VERSION:-$(default_os_version)}" &&
    { [ -z "$UPN" ] || member upn "$UPN"; } &&
    member completedAt "${COMPLETED_AT:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}" &&
    { [ -z "$STATE" ] || member state "$STATE"; } &&
    { [ -z "$EXIT_CODE" ] || printf ',"exitCode":%s' "$(printf %s "$EXIT_CODE" | sed 's/^\(-\{0,1\}\)0*\([0-9]\)/\1\2/')"; } &&
    { [ ! -s "$WORK/output" ] || text_member output "$WORK/output"; } &&
    { [ ! -s "$WORK/error" ] || text_member error "$WORK/error"; } &&
    printf '}\n'
}

default_os_version() {
  name=$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /etc/os-release 2>/dev/null | cut -c1-64)
  echo "${name:-$(uname -sr | cut -c1-64)}"
}

# Copies standard input to its end, but of what is long only the beginning and the end: into WORK/NAME.head, .before and .tail.
# Not `head -c`: some read more than they take. Fails, and stops reading, when the disk is full.
keep_ends() { # NAME
  part='head'
  size=0
  left_out=0
  while dd bs=65536 count=4 2>/dev/null >>"$WORK/$1.$part"; do
    before=$size
    size=$(wc -c <"$WORK/$1.$part") || return
    [ "$size" -gt "$before" ] || return 0
    [ "$size" -ge $KEPT_BYTES ] || continue
    size=0
    [ $part = tail ] || { part='tail' && continue; }
    [ ! -f "$WORK/$1.before" ] || left_out=$((left_out + $(wc -c <"$WORK/$1.before")))
    [ $left_out -eq 0 ] || echo $left_out >"$WORK/$1.left-out" || return
    mv "$WORK/$1.tail" "$WORK/$1.before" || return
  done
  return 1
}

# What keep_ends kept becomes one file. UTF-16 goes on where two bytes begin.
join_ends() { # NAME
  left_out=$(cat "$WORK/$1.left-out" 2>/dev/null)
  skipped=0
  if [ -n "$left_out" ]; then
    skipped=$((left_out % 2))
    echo $((left_out + skipped)) >"$WORK/$1.left-out"
  fi
  mv "$WORK/$1.head" "$WORK/$1"
  [ ! -f "$WORK/$1.before" ] || tail -c +$((skipped + 1)) "$WORK/$1.before" >>"$WORK/$1"
  [ ! -f "$WORK/$1.tail" ] || cat "$WORK/$1.tail" >>"$WORK/$1"
  rm -f "$WORK/$1.before" "$WORK/$1.tail"
} 2>/dev/null

take_output() {
  for pair in "output:$OUTPUT_FILE" "error:$ERROR_FILE"; do
    case $pair in
      *:) continue ;;
      *:-) keep_ends "${pair%%:*}" ;;
      *) keep_ends "${pair%%:*}" <"${pair#*:}" ;;
    esac && join_ends "${pair%%:*}" || fail 73 "cannot write the spool $SPOOL"
  done
}

# Keeps reading when the disk is full, and after the agent has moved on: what the command left running must not fail because
# nobody reads its output.
keep_printed() { # NAME
  trap - EXIT
  trap '' HUP INT TERM
  keep_ends "$1" && true >"$WORK/$1.done" || cat
} <"$WORK/$1.pipe" >/dev/null 2>&1

# Sets EXIT_CODE. The command has ended when its process has, whatever it started.
run_and_keep() { # COMMAND [ARG ...]
  mkfifo "$WORK/output.pipe" "$WORK/error.pipe" 2>/dev/null || fail 73 "cannot write the spool $SPOOL"
  keep_printed output &
  keep_printed error &
  run_command "$@" >"$WORK/output.pipe" 2>"$WORK/error.pipe"
  EXIT_CODE=$?
  tries=0
  while [ ! -f "$WORK/output.done" ] || [ ! -f "$WORK/error.done" ]; do
    [ $tries -lt $PIPES_TRIES ] || break
    tries=$((tries + 1))
    sleep 0.1 2>/dev/null || sleep 1
  done
  join_ends output
  join_ends error
}

# The command has the caller's own locale and umask, and nothing of the agent's.
run_command() (
  trap - EXIT
  umask "$USER_UMASK"
  if [ -n "$USER_LC_ALL" ]; then LC_ALL=$USER_LC_ALL; else unset LC_ALL; fi
  "$@"
)

# The name sorts after everything that waits, whatever the clock says.
keep_result() {
  [ -n "$RUN_ID" ] || RUN_ID=$(od -An -v -N16 -tx1 /dev/urandom | tr -d ' \n')
  print_result >"$WORK/result" || fail 73 "cannot write the spool $SPOOL"
  newest=$(ls "$SPOOL" | sed -n 's/^\([0-9]\{1,\}\)-.*\.json$/\1/p' | tail -n 1)
  order=$(now_s)
  [ -z "$newest" ] || [ "$order" -gt "$newest" ] || order=$((newest + 1))
  # The same run may have been refused in this second.
  while [ -e "$SPOOL/refused/$order-$RUN_ID.json" ]; do order=$((order + 1)); done
  { sync "$WORK/result" || sync; } 2>/dev/null
  mv "$WORK/result" "$SPOOL/$order-$RUN_ID.json" || fail 73 "cannot write the spool $SPOOL"
}

# ---- Signatures ----

decode_key() { tr -d ' \r\n' <"$KEY_FILE" | openssl base64 -d -A; }

print_bytes() { # NUMBER ...
  # shellcheck disable=SC2059 # the format is the bytes, as escapes
  printf "$(printf '\\%03o' "$@")"
}

# The key, filled up to SHA-256's block of 64 bytes, each byte xor N.
print_padded_key() { # N
  mask=$1
  padded=''
  count=0
  for byte in $(decode_key | od -An -v -tu1) $ZEROS; do
    [ $count -lt 64 ] || break
    padded="$padded $((byte ^ mask))"
    count=$((count + 1))
  done
  # shellcheck disable=SC2086 # one number a word
  print_bytes $padded
}
ZEROS='0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0'

sha256() { openssl dgst -sha256 -binary; }

# RFC 2104.
hmac_sha256() {
  { print_padded_key 54 && cat; } | sha256 >"$WORK/inner-hash"
  { print_padded_key 92 && cat "$WORK/inner-hash"; } | sha256
}

# The certificates of a PEM file, each as one line of base64.
list_certificates() {
  tr -d '\r' <"$CERTIFICATE" | awk '
    /^-----END CERTIFICATE-----/ { if (inside) print text; inside = 0 }
    inside { text = text $0 }
    /^-----BEGIN CERTIFICATE-----/ { inside = 1; text = "" }'
}

read_certificate() {
  is_readable "$CERTIFICATE" && is_readable "$PRIVATE_KEY" || fail 64 'cannot read the certificate or its --private-key'
  CERTIFICATE_FIELD=$(list_certificates | sed -n '1s/.*/:&:/p')
  CHAIN_FIELD=$(list_certificates | sed -n '2,6s/.*/:&:/p' | paste -sd, - | sed 's/,/, /g')
  [ -n "$CERTIFICATE_FIELD" ] || fail 64 "$CERTIFICATE holds no certificate in PEM"
  case $(openssl pkey -in "$PRIVATE_KEY" -passin pass: -pubout 2>/dev/null | openssl pkey -pubin -noout -text 2>/dev/null) in
    *Modulus:*) ALGORITHM=rsa-v1_5-sha256 ;;
    *prime256v1*) ALGORITHM=ecdsa-p256-sha256 ;;
    *) fail 64 "$PRIVATE_KEY is not a private key of the kinds RSA and P-256, or needs a password" ;;
  esac
  [ -n "$DEVICE_ID" ] || DEVICE_ID=$(openssl x509 -in "$CERTIFICATE" -noout -subject -nameopt multiline,utf8 |
    sed -n 's/^ *commonName *= //p')
}

# ASN.1's two integers → r and s of 32 bytes each.
to_r_and_s() {
  # shellcheck disable=SC2046 # one number a word
  print_bytes $(openssl asn1parse -inform DER | sed -n 's/.*INTEGER *://p' |
    sed 's/^/0000000000000000000000000000000000000000000000000000000000000000/; s/.*\(.\{64\}\)$/\1/; s/../0x& /g')
}

sign_base() {
  case $ALGORITHM in
    hmac-sha256) hmac_sha256 ;;
    rsa-v1_5-sha256) openssl dgst -sha256 -sign "$PRIVATE_KEY" -passin pass: ;;
    ecdsa-p256-sha256) openssl dgst -sha256 -sign "$PRIVATE_KEY" -passin pass: | to_r_and_s ;;
  esac | openssl base64 -A
}

# RFC 9421; prints header lines.
sign_request() { # PATH BODY_FILE
  digest="sha-256=:$(sha256 <"$2" | openssl base64 -A):"
  components='"@method" "@path" "content-digest"'
  base=$(printf '"@method": POST\n"@path": %s\n"content-digest": %s' "$1" "$digest")
  if [ "$ALGORITHM" != hmac-sha256 ]; then
    components="$components \"device-certificate\""
    base=$(printf '%s\n"device-certificate": %s' "$base" "$CERTIFICATE_FIELD")
    printf 'Device-Certificate: %s\n' "$CERTIFICATE_FIELD"
    [ -z "$CHAIN_FIELD" ] || printf 'Device-Certificate-Chain: %s\n' "$CHAIN_FIELD"
  fi
  created=$(($(now_s) + CLOCK_OFFSET_S))
  parameters="($components);created=$created;keyid=\"${TENANT:+$TENANT/}$DEVICE_ID\";alg=\"$ALGORITHM\""
  signature=$(printf '%s\n"@signature-params": %s' "$base" "$parameters" | sign_base)
  printf 'Content-Digest: %s\nSignature-Input: device=%s\nSignature: device=:%s:\n' "$digest" "$parameters" "$signature"
}

# ---- Sending ----

CLOCK_OFFSET_S=0

quote() { printf '%s = "%s"\n' "$1" "$(printf %s "$2" | sed 's/[\\"]/\\&/g')"; }

# Posts once, and sets STATUS (000 without an answer). Everything is in a file: a proxy's password is not on a command line.
post_once() { # ROUTE TYPE BODY_FILE
  rest=${URL#*://}
  case $rest in */*) base_path=/${rest#*/} ;; *) base_path='' ;; esac
  while [ "$base_path" != "${base_path%/}" ]; do base_path=${base_path%/}; done
  {
    quote url "${URL%%://*}://${rest%%/*}$base_path$1"
    quote data-binary "@$3"
    sign_request "$base_path$1" "$3" | while IFS= read -r header; do quote header "$header"; done
    quote header "Content-Type: $2"
    quote header 'Expect:'
    [ -z "$PROXY" ] || quote proxy "$PROXY"
    [ -z "$CA_FILE" ] || quote cacert "$CA_FILE"
    quote dump-header "$WORK/headers"
    printf 'silent\nshow-error\ngloboff\npath-as-is\nconnect-timeout = 15\nmax-time = 120\n'
  } >"$WORK/curl"
  true >"$WORK/headers"
  curl -q -K "$WORK/curl" 2>"$WORK/trouble" | head -c $MAX_ANSWER_BYTES | tr -d '\r\n\000' >"$WORK/answer"
  STATUS=$(awk '/^HTTP\// { status = $2 } END { print status ? status : "000" }' "$WORK/headers")
}

# Signs again with the server's time if it is that which the server may object to.
post() { # ROUTE TYPE BODY_FILE
  post_once "$@"
  [ "$STATUS" = 401 ] && [ $CLOCK_OFFSET_S -eq 0 ] || return 0
  server_s=$(to_epoch "$(header date)")
  offset_s=$((${server_s:-0} - $(now_s)))
  [ -n "$server_s" ] && [ "${offset_s#-}" -gt $CLOCK_TOLERANCE_S ] || return 0
  say "the clock differs from the server's by $offset_s s"
  CLOCK_OFFSET_S=$offset_s
  post_once "$@"
}

header() { # NAME in lower case; of the last answer, after those of proxies
  awk -v name="$1" '
    /^HTTP\// { value = "" }
    tolower($1) == name ":" { value = $0; sub(/^[^:]*:[ \t]*/, "", value); sub(/[ \t\r]*$/, "", value) }
    END { print value }' "$WORK/headers"
}

# An HTTP date ("Sun, 06 Nov 1994 08:49:37 GMT") as seconds since 1970; nothing if it is not one.
to_epoch() {
  printf '%s\n' "$1" | awk '/^[A-Z][a-z][a-z], [0-9][0-9] [A-Z][a-z][a-z] [0-9]+ [0-9:]+ GMT$/ {
    month = (index("JanFebMarAprMayJunJulAugSepOctNovDec", $3) + 2) / 3
    year = $4; if (month <= 2) { year--; month += 12 }
    days = 365 * year + int(year / 4) - int(year / 100) + int(year / 400) + int((153 * (month - 3) + 2) / 5) + $2 - 719469
    split($5, clock, ":")
    printf "%d", days * 86400 + clock[1] * 3600 + clock[2] * 60 + clock[3]
  }'
}

# What follows for one result. Only an answer in the bridge's own form counts: portals and proxies say 200 and 403 too.
settle() { # NAME STATUS ANSWER; false if it is kept
  run_id=${1#*-}
  run_id=${run_id%.json}
  case $2:$3 in
    200:*'"deliveryId":"'*"\"runId\":\"$run_id\""* | 202:*'"deliveryId":"'*"\"runId\":\"$run_id\""*)
      rm -f "$SPOOL/$1"
      ;;
    40[039]:*'"urn:runstate-bridge:problem:'* | 41[35]:*'"urn:runstate-bridge:problem:'* | 422:*'"urn:runstate-bridge:problem:'*)
      printf '%s\n' "$3" >"$SPOOL/refused/$1.answer"
      mv "$SPOOL/$1" "$SPOOL/refused/$1"
      REFUSED=yes
      say "refused for good, see $SPOOL/refused/$1.answer: $3"
      ;;
    *) false ;;
  esac
}

send_one() { # NAME
  [ -f "$SPOOL/$1" ] || return 0
  post /v1/run-results application/json "$SPOOL/$1"
  settle "$1" "$STATUS" "$(cat "$WORK/answer")"
}

# A JSON array's elements, one a line.
split_array() {
  awk '{
    for (i = 1; i <= length($0); i++) {
      c = substr($0, i, 1)
      if (escaped) escaped = 0
      else if (text) { if (c == "\\") escaped = 1; else if (c == "\"") text = 0 }
      else if (c == "\"") text = 1
      else if (c ~ /[[{]/) { if (++depth == 2) start = i }
      else if (c ~ /[]}]/ && --depth == 1) print substr($0, start, i - start + 1)
    }
  }'
}

# What belongs to somebody else is for a person to look at; it is not to be lost, and would shift the answers of a batch.
check_readable() { # NAME ...
  for name in "$@"; do
    [ ! -f "$SPOOL/$name" ] || [ -r "$SPOOL/$name" ] || fail 75 "cannot read $SPOOL/$name: whose is it?"
  done
}

# A file that is not the one line its name says, as a crash of the machine may leave it, would shift the answers of a batch.
set_unreadable_aside() { # NAME ...
  readable=$(cd "$SPOOL" && awk '
    { lines[FILENAME]++; id = FILENAME; sub(/^[0-9]+-/, "", id); sub(/\.json$/, "", id) }
    /^\{.*\}$/ && index($0, "\"runId\":\"" id "\"") { good[FILENAME] = 1 }
    END { for (name in good) if (lines[name] == 1) print name }' "$@" 2>/dev/null)
  for name in "$@"; do
    case "
$readable
" in *"
$name
"*) continue ;; esac
    [ ! -f "$SPOOL/$name" ] || settle "$name" 400 '{"type":"urn:runstate-bridge:problem:unreadable","code":"unreadable"}'
  done
}

send_batch() { # NAME ...
  # shellcheck disable=SC2016 # awk's own variable; it ends each line
  for name in "$@"; do awk 1 "$SPOOL/$name"; done >"$WORK/batch" 2>/dev/null
  post /v1/run-results/batch application/x-ndjson "$WORK/batch"
  case $STATUS in
    200) settle_batch "$@" ;;
    40[039] | 41[35] | 422) for name in "$@"; do send_one "$name" || return 1; done ;;
    *) false ;;
  esac
}

settle_batch() { # NAME ...
  split_array <"$WORK/answer" >"$WORK/entries"
  all_settled=true
  for name in "$@"; do
    IFS= read -r entry || entry=''
    status=$(printf '%s\n' "$entry" | sed -n 's/.*"status":\([0-9]\{3\}\)[,}].*/\1/p')
    settle "$name" "${status:-200}" "$entry" || all_settled=false
  done <"$WORK/entries"
  $all_settled
}

# ---- When to send: SPOOL/not-before holds an instant, the backoff of the latest failure, and who chose the instant ----

NOT_BEFORE_S=0 BACKOFF_S=0 CHOSEN_BY=agent

read_not_before() {
  [ -r "$SPOOL/not-before" ] && read -r NOT_BEFORE_S BACKOFF_S CHOSEN_BY <"$SPOOL/not-before"
  is_number "$NOT_BEFORE_S" && is_number "$BACKOFF_S" || { NOT_BEFORE_S=0 && BACKOFF_S=0; }
  [ "$BACKOFF_S" -le $LONGEST_BACKOFF_S ] || BACKOFF_S=$LONGEST_BACKOFF_S
}

# The first send after failures waits at random, so that a fleet does not come back all at once.
wait_for_turn() {
  read_not_before
  ahead_s=$((NOT_BEFORE_S - $(now_s)))
  if [ $ahead_s -gt 0 ] && [ $ahead_s -le $LONGEST_WAIT_S ]; then
    [ "$CHOSEN_BY" = agent ] && [ $NO_WAIT = yes ] || { say "not to be sent within the next $ahead_s s" && return 1; }
  fi
  [ "$BACKOFF_S" -eq 0 ] || [ $NO_WAIT = yes ] || sleep "$(random_below "$BACKOFF_S")"
}

# Half as long again as the one before, up to the longest. The first is random: a fleet's retries must not stay in step.
next_backoff_s() {
  [ "$BACKOFF_S" -gt 0 ] || { echo $((FIRST_BACKOFF_S + $(random_below $FIRST_JITTER_S))) && return; }
  seconds=$((BACKOFF_S * 3 / 2))
  [ $seconds -ge $FIRST_BACKOFF_S ] || seconds=$FIRST_BACKOFF_S
  echo $((seconds < LONGEST_BACKOFF_S ? seconds : LONGEST_BACKOFF_S))
}

retry_after_s() { # nothing if the answer has none
  value=$(header retry-after)
  is_number "${value%.*}" && echo $((${value%.*} + 1)) && return
  until_s=$(to_epoch "$value")
  since_s=$(to_epoch "$(header date)")
  [ -z "$until_s" ] || echo $((until_s - ${since_s:-$(now_s)}))
}

# The jitter comes on top of the backoff, so that the longest one has it too.
note_failure() {
  BACKOFF_S=$(next_backoff_s)
  CHOSEN_BY=server
  wait_s=$(retry_after_s)
  if [ -z "$wait_s" ]; then
    CHOSEN_BY=agent
    wait_s=$((BACKOFF_S + $(random_below "$BACKOFF_S")))
  fi
  [ "$wait_s" -le $LONGEST_WAIT_S ] || wait_s=$LONGEST_WAIT_S
  echo "$(($(now_s) + wait_s)) $BACKOFF_S $CHOSEN_BY" >"$WORK/not-before" && mv "$WORK/not-before" "$SPOOL/not-before"
  say "kept, to be sent later: answer $STATUS $(head -c 300 "$WORK/trouble" | tr '\n' ' ')"
}

send_kept() {
  while names=$(list_oldest) && [ -n "$names" ]; do
    # shellcheck disable=SC2086 # names have no spaces
    check_readable $names
    # shellcheck disable=SC2086
    set_unreadable_aside $names
    names=$(list_oldest)
    # shellcheck disable=SC2086
    set -- $names
    [ $# -gt 0 ] || break
    if [ $# -eq 1 ]; then send_one "$1"; else send_batch "$@"; fi || { note_failure && return; }
    BACKOFF_S=0
  done
  rm -f "$SPOOL/not-before"
}

# ---- From beginning to end ----

REFUSED=no
ACTION=${1-}
case $ACTION in run | add | send) shift ;; *) fail 64 'usage: report-run.sh run|add|send [options] [-- COMMAND [ARG ...]]' ;; esac
parse_options "$@"
shift "$SHIFTED"
check_sender
[ "$ACTION" = send ] || check_run
[ "$ACTION" != run ] || [ $# -gt 0 ] || fail 64 'which command? give it after --'
open_spool

case $ACTION in
  run)
    # Shutting down or Ctrl-C may end the command; how it ended is kept all the same.
    IS_STOPPED=no
    trap 'IS_STOPPED=yes' HUP INT TERM
    run_and_keep "$@"
    keep_result
    ;;
  add) take_output && keep_result ;;
esac
prune "$SPOOL"
prune "$SPOOL/refused"
if [ "$ACTION" = run ]; then
  [ $IS_STOPPED = no ] || { [ $PASS_EXIT_CODE = no ] || exit "$EXIT_CODE"; exit 75; }
  exit_on_signals
fi
if [ -n "$(list_oldest)" ] && lock_spool && wait_for_turn; then
  send_kept
fi

code=0
[ -z "$(list_oldest)" ] || code=75
[ $REFUSED = no ] || code=65
[ "$ACTION" != run ] || [ $PASS_EXIT_CODE = no ] || code=$EXIT_CODE
exit "$code"
