# CASTELL_HWLOC: the topology of a node. Without it less is known of the machine.
AC_DEFUN([CASTELL_HWLOC], [
  AC_ARG_WITH([hwloc],
    [AS_HELP_STRING([--without-hwloc], [read /sys for cores and NUMA nodes; no caches, no recorded machines])],
    [], [with_hwloc=yes])
  castell_hwloc=no
  AS_IF([test "x$with_hwloc" != xno],
    [PKG_CHECK_MODULES([HWLOC], [hwloc >= 2.0],
      [castell_hwloc=`$PKG_CONFIG --modversion hwloc`],
      [AC_MSG_ERROR([hwloc 2 is needed: apt-get install libhwloc-dev, or configure --without-hwloc])])],
    [MISSING_CPPFLAGS="$MISSING_CPPFLAGS -DCST_WITHOUT_HWLOC"])
  AM_CONDITIONAL([HAVE_HWLOC], [test "x$castell_hwloc" != xno])
])

# CASTELL_SODIUM: who joins a run shows that it knows its secret. Without it
# there is one process, and there are no checkpoints.
AC_DEFUN([CASTELL_SODIUM], [
  AC_ARG_WITH([libsodium],
    [AS_HELP_STRING([--without-libsodium], [one process only, and no checkpoints])],
    [], [with_libsodium=yes])
  castell_sodium=no
  AS_IF([test "x$with_libsodium" != xno],
    [PKG_CHECK_MODULES([SODIUM], [libsodium >= 1.0.12],
      [castell_sodium=`$PKG_CONFIG --modversion libsodium`],
      [AC_MSG_ERROR([libsodium is needed: apt-get install libsodium-dev, or configure --without-libsodium])])],
    [MISSING_CPPFLAGS="$MISSING_CPPFLAGS -DCST_WITHOUT_SODIUM"
     SODIUM_CFLAGS='-I$(top_srcdir)/runtime/base/without'])
  AC_SUBST([SODIUM_CFLAGS])
])

# CASTELL_CASTELLCC: the compiler driver reads C with libclang; needed where it
# runs. When the product is built for another architecture the applications are
# compiled by one that was built for this machine.
AC_DEFUN([CASTELL_CASTELLCC], [
  AC_ARG_WITH([castellcc],
    [AS_HELP_STRING([--with-castellcc=PROGRAM], [compile the applications by this castellcc and build none, as for another architecture])],
    [], [with_castellcc=])
  AS_CASE([$with_castellcc],
    [yes | no], [AC_MSG_ERROR([--with-castellcc needs the path of a castellcc])],
    [''], [],
    [AS_IF([test -x "$with_castellcc"], [],
      [AC_MSG_ERROR([--with-castellcc=$with_castellcc: there is no such program])])])
  AS_IF([test "x$with_castellcc" = x && test "x$cross_compiling" = xyes],
    [AC_MSG_ERROR([building for $host, the applications need a castellcc of this machine: give --with-castellcc=PROGRAM])])
  castell_libclang=no
  AS_IF([test "x$with_castellcc" = x], [CASTELL_LIBCLANG])
  AC_SUBST([CASTELLCC], [$with_castellcc])
  AM_CONDITIONAL([BUILD_CASTELLCC], [test "x$with_castellcc" = x])
])

# CASTELL_LIBCLANG: castellcc reads C with it; needed for it.
AC_DEFUN([CASTELL_LIBCLANG], [
  AC_ARG_VAR([LLVM_CONFIG], [llvm-config of the libclang to use])
  AC_PATH_PROGS([LLVM_CONFIG], [llvm-config-14 llvm-config llvm-config-15 llvm-config-16], [no])
  AS_IF([test "x$LLVM_CONFIG" = xno],
    [AC_MSG_ERROR([llvm-config is needed: apt-get install llvm-14-dev libclang-14-dev])])
  castell_libclang=`$LLVM_CONFIG --version`
  castell_llvm_libdir=`$LLVM_CONFIG --libdir`
  LIBCLANG_CPPFLAGS="-isystem `$LLVM_CONFIG --includedir`"
  LIBCLANG_LIBS="-L$castell_llvm_libdir -Wl,-rpath,$castell_llvm_libdir -lclang"
  castell_saved_CPPFLAGS=$CPPFLAGS
  castell_saved_LIBS=$LIBS
  CPPFLAGS="$CPPFLAGS $LIBCLANG_CPPFLAGS"
  LIBS="$LIBCLANG_LIBS $LIBS"
  AC_MSG_CHECKING([for libclang])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <clang-c/Index.h>]],
      [[clang_disposeIndex(clang_createIndex(0, 0));]])],
    [AC_MSG_RESULT([$castell_libclang])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([libclang is needed: apt-get install libclang-14-dev])])
  CPPFLAGS=$castell_saved_CPPFLAGS
  LIBS=$castell_saved_LIBS
  AC_SUBST([LIBCLANG_CPPFLAGS])
  AC_SUBST([LIBCLANG_LIBS])
])

# CASTELL_BLAS: what the applications compute with; without it those that need
# it are not built.
AC_DEFUN([CASTELL_BLAS], [
  AC_ARG_WITH([openblas],
    [AS_HELP_STRING([--without-openblas], [do not build the applications that need OpenBLAS])],
    [], [with_openblas=yes])
  castell_blas=no
  AS_IF([test "x$with_openblas" != xno],
    [PKG_CHECK_MODULES([BLAS], [openblas],
      [castell_blas=`$PKG_CONFIG --modversion openblas`],
      [AC_MSG_WARN([no OpenBLAS: applications that need it are left out (apt-get install libopenblas-dev)])])])
  AM_CONDITIONAL([HAVE_BLAS], [test "x$castell_blas" != xno])
])

# CASTELL_ZLIB: data sets are compressed; applications that read them need it.
AC_DEFUN([CASTELL_ZLIB], [
  castell_zlib=no
  PKG_CHECK_MODULES([ZLIB], [zlib],
    [castell_zlib=`$PKG_CONFIG --modversion zlib`],
    [AC_MSG_WARN([no zlib: applications that read images are left out (apt-get install zlib1g-dev)])])
  AM_CONDITIONAL([HAVE_ZLIB], [test "x$castell_zlib" != xno])
])

# CASTELL_OPENMP: bodies may use it; a test does.
AC_DEFUN([CASTELL_OPENMP], [
  AC_OPENMP
  AM_CONDITIONAL([HAVE_OPENMP],
    [test "x$enable_openmp" != xno && test "x$ac_cv_prog_c_openmp" != xunsupported])
])

# CASTELL_LIBDW: names and lines in the report of a crash. Only its header is
# used here; the library is loaded when it is needed, and may be missing.
AC_DEFUN([CASTELL_LIBDW], [
  AC_ARG_WITH([libdw],
    [AS_HELP_STRING([--without-libdw], [no lines in the reports of crashes])],
    [], [with_libdw=check])
  castell_libdw=no
  AS_IF([test "x$with_libdw" != xno],
    [AC_CHECK_HEADER([elfutils/libdwfl.h], [castell_libdw=yes],
      [AS_IF([test "x$with_libdw" = xyes],
        [AC_MSG_ERROR([elfutils/libdwfl.h is needed: apt-get install libdw-dev])])])])
  AM_CONDITIONAL([HAVE_LIBDW], [test "x$castell_libdw" = xyes])
])

# CASTELL_OPENCL: devices. Only its headers are used here; the library is loaded
# where a run wants devices, and may be missing.
AC_DEFUN([CASTELL_OPENCL], [
  AC_ARG_WITH([opencl],
    [AS_HELP_STRING([--without-opencl], [no devices of OpenCL])],
    [], [with_opencl=check])
  castell_opencl=no
  AS_IF([test "x$with_opencl" != xno],
    [AC_CHECK_HEADER([CL/cl.h], [castell_opencl=yes],
      [AS_IF([test "x$with_opencl" = xyes],
        [AC_MSG_ERROR([CL/cl.h is needed: apt-get install ocl-icd-opencl-dev])])])])
  AM_CONDITIONAL([HAVE_OPENCL], [test "x$castell_opencl" = xyes])
])

# CASTELL_MPI: the module that carries messages over MPI; only that is linked
# with it. Its header is a system header: it does not pass our warnings.
AC_DEFUN([CASTELL_MPI], [
  AC_ARG_WITH([mpi],
    [AS_HELP_STRING([--without-mpi], [no messages over MPI, only over TCP, and no bodies of device(mpi)])],
    [], [with_mpi=check])
  castell_mpi=no
  AS_IF([test "x$with_mpi" != xno],
    [PKG_CHECK_MODULES([OMPI], [ompi-c],
      [castell_mpi="Open MPI `$PKG_CONFIG --modversion ompi-c`"
       MPI_CPPFLAGS=`AS_ECHO(["$OMPI_CFLAGS"]) | sed 's/-I */-isystem /g; s/-pthread//g'`
       MPI_LIBS=$OMPI_LIBS],
      [AS_IF([test "x$with_mpi" = xyes],
        [AC_MSG_ERROR([Open MPI is needed: apt-get install libopenmpi-dev])])])])
  AS_IF([test "x$castell_mpi" = xno],
    [MISSING_CPPFLAGS="$MISSING_CPPFLAGS -DCST_WITHOUT_MPI"])
  AC_SUBST([MISSING_CPPFLAGS])
  AC_SUBST([MPI_CPPFLAGS])
  AC_SUBST([MPI_LIBS])
  AM_CONDITIONAL([HAVE_MPI], [test "x$castell_mpi" != xno])
])
