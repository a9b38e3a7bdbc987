# CASTELL_PEERS: the runtimes that apps/bench compares with. None is needed;
# those that are not here are left out of `make bench`.
AC_DEFUN([CASTELL_PEERS], [
  castell_peers=

  # gcc's OpenMP, libgomp, when $CC is gcc.
  AC_MSG_CHECKING([for libgomp])
  castell_saved=$CFLAGS
  CFLAGS="$CFLAGS -fopenmp"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[
      #include <omp.h>
      #if defined(__clang__) || !defined(__GNUC__)
      #error not gcc
      #endif
    ]], [[return omp_get_num_threads() - 1;]])],
    [castell_libgomp=yes
     castell_peers="$castell_peers libgomp"],
    [castell_libgomp=no])
  CFLAGS=$castell_saved
  AC_MSG_RESULT([$castell_libgomp])
  AM_CONDITIONAL([HAVE_LIBGOMP], [test $castell_libgomp = yes])

  # LLVM's, libomp, with a clang of its own, whatever $CC is.
  AC_ARG_VAR([PEERS_CLANG], [clang to compile the programs for libomp with])
  AC_PATH_PROGS([PEERS_CLANG], [clang-14 clang clang-15 clang-16], [no])
  AC_MSG_CHECKING([for libomp])
  castell_libomp=no
  AS_IF([test "x$PEERS_CLANG" != xno],
    [castell_saved_CC=$CC
     CC=$PEERS_CLANG
     CFLAGS="-fopenmp=libomp"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <omp.h>]],
         [[return omp_get_num_threads() - 1;]])],
       [castell_libomp=yes
        castell_peers="$castell_peers libomp"])
     CC=$castell_saved_CC
     CFLAGS=$castell_saved])
  AC_MSG_RESULT([$castell_libomp])
  AM_CONDITIONAL([HAVE_LIBOMP], [test $castell_libomp = yes])

  PKG_CHECK_MODULES([STARPU], [starpu-1.3],
    [castell_starpu=yes
     castell_peers="$castell_peers starpu"],
    [castell_starpu=no])
  AM_CONDITIONAL([HAVE_STARPU], [test $castell_starpu = yes])
])
