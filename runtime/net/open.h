/*
 * open.h - how nets begin and end.
 *
 * Layer: net, private to it. Owner: the mesh's.
 */
#ifndef CST_NET_OPEN_H
#define CST_NET_OPEN_H

#include "net/mesh.h"

extern const struct cst_net_ops cst_mesh_ops;

void cst_mesh_close(struct cst_net *net);

#endif
