// What holds for the whole assembly.
using System.Runtime.CompilerServices;

#if NET8_0_OR_GREATER
// Every native signature is blittable: nothing is ever converted behind the scenes.
[assembly: DisableRuntimeMarshalling]
#endif
[assembly: System.CLSCompliant(false)]
