using System;
using Flagstone.Interop;

namespace Flagstone.Handles;

/// <summary>Owns a <c>flagstone_flag</c>.</summary>
internal sealed class FlagHandle(object owner, IntPtr native) : KeptHandle(owner, native)
{
    private protected override void Release(IntPtr native) => NativeMethods.flagstone_flag_release(native);
}
