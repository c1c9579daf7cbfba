# SPDX-License-Identifier: BSD-3-Clause
# What Seamark takes for granted of an MPI library, by the program that `seamark doctor --mpi` runs (apps/assumptions); and that each of its checks can fail.
foreach(ranks 1 2 4)
	seamark_mpi_test(mpi-assumptions-${ranks} RANKS ${ranks} COMMAND assumptions TIMEOUT 180)
endforeach()
seamark_mpi_test(mpi-assumptions-over-tcp RANKS 2 COMMAND assumptions TIMEOUT 180
	ENVIRONMENT OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=lo UCX_TLS=tcp,self)
seamark_mpi_test(mpi-assumptions-can-fail RANKS 2 COMMAND assumptions --control --turns 40 TIMEOUT 180)
seamark_test(doctor-tries-the-mpi-library COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/doctor_mpi.sh LABELS mpi mpich TIMEOUT 180 PROCESSORS 2)
