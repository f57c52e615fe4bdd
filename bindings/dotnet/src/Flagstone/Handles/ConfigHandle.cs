using System;
using System.Runtime.InteropServices;
using Flagstone.Interop;

namespace Flagstone.Handles;

/// <summary>Owns a <c>flagstone_config</c>.</summary>
internal sealed class ConfigHandle : SafeHandle
{
    internal ConfigHandle(IntPtr native)
        : base(IntPtr.Zero, ownsHandle: true) => SetHandle(native);

    public override bool IsInvalid => handle == IntPtr.Zero;

    protected override bool ReleaseHandle()
    {
        NativeMethods.flagstone_config_free(handle);
        return true;
    }
}
