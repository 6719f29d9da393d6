/* A disk that fails when it is told to, preloaded into the gateway in place of the C library's own calls.
 *
 * The folder in KASSEBRO_TEST_DISK holds
 *   control    one line, read at each call:
 *                write <EIO|ENOSPC|short> <name> <times>   writes to files whose path ends in <name> fail
 *                sync  <EIO|slow>         <name> <times>   so do syncs; a slow one takes 100 ms longer
 *                room  <bytes>                             the store's files together hold no more than that
 *              <times> is how often, 0 for always; <name> is "any" for every file of the store
 *   faults     a line for each fault that was made
 *   durable/   what of each file would be there after a loss of power: the pages that were dirty at a sync
 *              that succeeded. A sync that fails forgets which pages were dirty and keeps none of them, as
 *              the kernel does. Beside each, in .dirty, the pages written since, a byte for each
 *
 * Everything else passes. The calls are made directly, so that nothing here calls itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, FILES = 16, DESCRIPTORS = 4096, PAGES = 65536 /* 256 MiB; a test's store is far smaller */ };

struct file {
  char path[512];
  int durable;
  unsigned char *dirty; /* shared with the next process, as the kernel's cache is */
};

static struct file files[FILES];
static int known;
static int file_of[DESCRIPTORS]; /* the file's place and one, 0 for none */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char order[256];
static long used;

static int real_open(const char *path, int flags, mode_t mode) {
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static const char *folder(void) { return getenv("KASSEBRO_TEST_DISK"); }

static void in_folder(char *path, size_t length, const char *name) {
  snprintf(path, length, "%s/%s", folder(), name);
}

static int ends_in(const char *text, const char *end) {
  size_t a = strlen(text), b = strlen(end);
  return a >= b && strcmp(text + a - b, end) == 0;
}

/* The store's file, its log and its reserve. */
static int is_stores(const char *path) {
  const char *name = path ? strrchr(path, '/') : NULL;
  name = name ? name + 1 : path;
  return path && folder() && strncmp(path, folder(), strlen(folder())) != 0 &&
         strncmp(name, "kassebro.db", 11) == 0 && !ends_in(name, "-shm") && !ends_in(name, ".lock");
}

static void copy(int from, int to) {
  char bytes[PAGE];
  off_t at = 0;
  ssize_t length;
  while ((length = pread(from, bytes, PAGE, at)) > 0) {
    syscall(SYS_pwrite64, to, bytes, length, at);
    at += length;
  }
}

static void opened(int fd, const char *path) {
  if (fd < 0 || fd >= DESCRIPTORS || !is_stores(path)) return;
  pthread_mutex_lock(&lock);
  int place = 0;
  while (place < known && strcmp(files[place].path, path) != 0) place++;
  if (place == known && known < FILES) {
    char durable[1024], name[600];
    snprintf(name, sizeof name, "durable/%s", strrchr(path, '/') + 1);
    in_folder(durable, sizeof durable, name);
    int fresh = access(durable, F_OK) != 0;
    snprintf(files[place].path, sizeof files[place].path, "%s", path);
    files[place].durable = real_open(durable, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fresh) {
      int there = real_open(path, O_RDONLY | O_CLOEXEC, 0);
      copy(there, files[place].durable);
      syscall(SYS_close, there);
    }
    strcat(durable, ".dirty");
    int dirty = real_open(durable, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    syscall(SYS_ftruncate, dirty, PAGES);
    files[place].dirty = mmap(NULL, PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, dirty, 0);
    syscall(SYS_close, dirty);
    if (files[place].durable < 0 || files[place].dirty == MAP_FAILED) abort();
    known++;
  }
  if (place < known) file_of[fd] = place + 1;
  pthread_mutex_unlock(&lock);
}

static struct file *file(int fd) {
  int place = fd >= 0 && fd < DESCRIPTORS ? file_of[fd] : 0;
  return place ? &files[place - 1] : NULL;
}

static void soil(struct file *f, off_t from, off_t to) {
  for (off_t page = from / PAGE; page * PAGE < to && page < PAGES; page++) f->dirty[page] = 1;
}

/* What the control file orders for this call, "" for nothing. */
static void ordered(const char *call, struct file *f, char what[64]) {
  char path[1024], now[256] = "", verb[64] = "", fault[64] = "", name[64] = "";
  long times = 0;
  what[0] = 0;
  in_folder(path, sizeof path, "control");
  int fd = real_open(path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  ssize_t length = read(fd, now, sizeof now - 1);
  syscall(SYS_close, fd);
  if (length <= 0) return;
  if (strcmp(now, order) != 0) {
    strcpy(order, now);
    used = 0;
  }
  sscanf(now, "%63s %63s %63s %ld", verb, fault, name, &times);
  if (strcmp(verb, call) != 0) return;
  if (strcmp(verb, "room") != 0) {
    if (strcmp(name, "any") != 0 && !ends_in(f->path, name)) return;
    if (times != 0 && used >= times) return;
    used++;
  }
  strcpy(what, fault);
}

static void note(const char *call, const char *what, struct file *f) {
  char path[1024], line[1024];
  in_folder(path, sizeof path, "faults");
  int fd = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int length = snprintf(line, sizeof line, "%s %s %s\n", call, what, strrchr(f->path, '/') + 1);
  syscall(SYS_write, fd, line, length);
  syscall(SYS_close, fd);
}

static off_t size_of(const char *path) {
  struct stat stat_of;
  return stat(path, &stat_of) == 0 ? stat_of.st_size : 0;
}

/* How much of a write to this place there is room for. */
static size_t room(struct file *f, off_t at, size_t length, off_t all) {
  off_t taken = 0, end = size_of(f->path);
  for (int place = 0; place < known; place++) taken += size_of(files[place].path);
  off_t fits = (end > at ? end - at : 0) + (all > taken ? all - taken : 0);
  return fits < (off_t)length ? (size_t)fits : length;
}

static ssize_t writes(int fd, const void *bytes, size_t length, off_t at, int moves) {
  struct file *f = file(fd);
  char what[64];
  ssize_t written;
  if (f) {
    pthread_mutex_lock(&lock);
    off_t place = moves ? lseek(fd, 0, SEEK_CUR) : at;
    ordered("write", f, what);
    if (strcmp(what, "EIO") == 0 || strcmp(what, "ENOSPC") == 0) {
      note("write", what, f);
      pthread_mutex_unlock(&lock);
      errno = strcmp(what, "EIO") == 0 ? EIO : ENOSPC;
      return -1;
    }
    if (strcmp(what, "short") == 0 && length > 1) {
      note("write", what, f);
      length /= 2;
    }
    ordered("room", f, what);
    if (what[0]) {
      size_t fits = room(f, place, length, atoll(what));
      if (fits < length) note("room", what, f);
      if (fits == 0 && length > 0) {
        pthread_mutex_unlock(&lock);
        errno = ENOSPC;
        return -1;
      }
      length = fits;
    }
    soil(f, place, place + (off_t)length);
  }
  written = moves ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, at);
  if (f) pthread_mutex_unlock(&lock);
  return written;
}

static int syncs(int fd, long call) {
  struct file *f = file(fd);
  char what[64];
  if (!f) return (int)syscall(call, fd);
  pthread_mutex_lock(&lock);
  ordered("sync", f, what);
  if (what[0]) note("sync", what, f);
  if (strcmp(what, "EIO") == 0) {
    memset(f->dirty, 0, PAGES);
    pthread_mutex_unlock(&lock);
    errno = EIO;
    return -1;
  }
  if (strcmp(what, "slow") == 0) {
    struct timespec tenth = {0, 100 * 1000 * 1000};
    nanosleep(&tenth, NULL);
  }
  off_t size = size_of(f->path);
  for (off_t page = 0; page < PAGES; page++) {
    char bytes[PAGE];
    if (!f->dirty[page]) continue;
    ssize_t length = pread(fd, bytes, PAGE, page * PAGE);
    if (length > 0) syscall(SYS_pwrite64, f->durable, bytes, length, page * PAGE);
    f->dirty[page] = 0;
  }
  syscall(SYS_ftruncate, f->durable, size);
  pthread_mutex_unlock(&lock);
  return 0;
}

static int truncates(int fd, off_t size) {
  struct file *f = file(fd);
  if (f) {
    pthread_mutex_lock(&lock);
    soil(f, size, size_of(f->path));
    pthread_mutex_unlock(&lock);
  }
  return (int)syscall(SYS_ftruncate, fd, size);
}

static int opens(const char *path, int flags, mode_t mode) {
  int fd = real_open(path, flags, mode);
  opened(fd, path);
  return fd;
}

#define MODE(flags, mode)                               \
  mode_t mode = 0;                                      \
  if ((flags) & (O_CREAT | O_TMPFILE)) {                \
    va_list more;                                       \
    va_start(more, flags);                              \
    mode = (mode_t)va_arg(more, int);                   \
    va_end(more);                                       \
  }

int open(const char *path, int flags, ...) { MODE(flags, mode) return opens(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, mode) return opens(path, flags, mode); }
ssize_t write(int fd, const void *bytes, size_t length) { return writes(fd, bytes, length, 0, 1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return writes(fd, bytes, length, at, 0); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) { return writes(fd, bytes, length, at, 0); }
int fsync(int fd) { return syncs(fd, SYS_fsync); }
int fdatasync(int fd) { return syncs(fd, SYS_fdatasync); }
int ftruncate(int fd, off_t size) { return truncates(fd, size); }
int ftruncate64(int fd, off_t size) { return truncates(fd, size); }

int close(int fd) {
  if (fd >= 0 && fd < DESCRIPTORS) file_of[fd] = 0;
  return (int)syscall(SYS_close, fd);
}
