# CASTELL_CHECKS: how much the runtime checks itself. Assertions are cheap and
# stay on in production; --enable-paranoid adds whole-structure walks.
AC_DEFUN([CASTELL_CHECKS], [
  AC_ARG_ENABLE([assert],
    [AS_HELP_STRING([--disable-assert], [do not check the runtime's own invariants])],
    [castell_assert=$enableval], [castell_assert=yes])
  AC_ARG_ENABLE([paranoid],
    [AS_HELP_STRING([--enable-paranoid], [walk whole structures to check them, often (developers, CI)])],
    [castell_paranoid=$enableval], [castell_paranoid=no])
  CHECK_CPPFLAGS=
  AS_IF([test "x$castell_assert" = xno], [CHECK_CPPFLAGS="$CHECK_CPPFLAGS -DCST_NO_ASSERT"])
  AS_IF([test "x$castell_paranoid" != xno], [CHECK_CPPFLAGS="$CHECK_CPPFLAGS -DCST_PARANOID"])
  AC_SUBST([CHECK_CPPFLAGS])
])
